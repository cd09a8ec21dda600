import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEvent } from '@sentineld/model/audit';
import { NOW_MS, createInstallation, type Installation, type Ran } from '../fixtures/installation.ts';

const MINUTE_MS = 60_000;

let installation: Installation;
let recorded: AuditEvent[];
let directory = '';
beforeAll(async () => {
  installation = createInstallation();
  const processes = [
    { pid: 1, name: 'init' },
    { pid: 20, ppid: 1, name: '=cmd|\u001b[2J', argv: ['a\tb', '\u{10ffff}'] },
  ];
  const event = { pid: 20, atMs: NOW_MS - 11 * MINUTE_MS, ppid: 1, command: { name: '=x' }, parent: { name: 'init' } };
  installation.makeHistory([
    { atMs: NOW_MS - 20 * MINUTE_MS, processes: processes.slice(0, 1) },
    { atMs: NOW_MS - 10 * MINUTE_MS, processes, events: [event] },
  ]);
  installation.makeAgent([{}, {}]);
  recorded = await installation.serve('procmond', { 'audit.append': {} });
});
afterAll(() => installation.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-export-'));
});
afterEach(() => {
  chmodSync(directory, 0o700);
  rmSync(directory, { recursive: true });
});

const at = (name: string): string => join(directory, name);
const run = (...words: string[]): Promise<Ran> => installation.run(['export', ...words]);
const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);
const rowsOf = (path: string, sql: string): unknown[] => {
  const db = new DatabaseSync(path, { readOnly: true });
  const rows = db.prepare(sql).all();
  db.close();
  return rows.map((row) => ({ ...row }));
};

describe('export', () => {
  it('writes what runs now, as JSON that survives whatever the names are', async () => {
    const { status, out, err } = await run('--format', 'json');
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject([
      { pid: 1 },
      { pid: 20, name: '=cmd|\u001b[2J', command_line: JSON.stringify(['a\tb', '\u{10ffff}']) },
    ]);
    expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f\u{10ff80}-\u{10ffff}]/u);
    const jsonl = (await run('--format', 'jsonl')).out;
    expect(linesOf(jsonl).map((line): unknown => JSON.parse(line))).toEqual(JSON.parse(out));
  });

  it('guards CSV against formulas, with a header also where there is no row', async () => {
    const { out } = await run('--format', 'csv', '--table', 'process_events');
    expect(out).toContain(",'=x,");
    expect((await run('--format', 'csv', '--table', 'process_events', '--to', '15 min ago')).out).toBe(`${out.split('\r\n')[0] ?? ''}\r\n`);
    expect((await run('--format', 'json', '--table', 'process_events', '--to', '15 min ago')).out).toBe('[]\n');
  });

  it.each([
    [[], 3],
    [['--from', '15 min ago'], 2],
    [['--to', '15 min ago'], 1],
    [['--from', String(NOW_MS - 10 * MINUTE_MS)], 2],
    [['--to', String(NOW_MS - 10 * MINUTE_MS)], 1],
    [['--from', 'scan 1', '--to', 'scan 1'], 1],
    [['--from', 'scan 1', '--to', 'scan 2'], 3],
  ])('takes a part by time: %j', async (range, rows) => {
    expect(linesOf((await run('--format', 'jsonl', '--table', 'process_snapshots', ...range)).out)).toHaveLength(rows);
  });

  it('makes a SQLite file of every table, with types, and says what is in it', async () => {
    const { status, out, err } = await run('--format', 'sqlite', '--output', at('host.db'));
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain(
      'host.db: 12 rows (2 of processes, 3 of process_snapshots, 1 of process_events, 2 of scan_metadata, 2 of coverage, 2 of alerts)',
    );
    expect(rowsOf(at('host.db'), "SELECT * FROM export_info WHERE table_name = 'alerts'")).toEqual([
      { table_name: 'alerts', from_ms: null, to_ms: null, host: 'web-1', version: expect.any(String), rows: 2 },
    ]);
    expect(rowsOf(at('host.db'), 'SELECT name, typeof(pid) AS type FROM processes ORDER BY pid')).toEqual([
      { name: 'init', type: 'integer' },
      { name: '=cmd|\u001b[2J', type: 'integer' },
    ]);
    expect(rowsOf(at('host.db'), "SELECT type FROM pragma_table_info('processes') WHERE name = 'cpu_percent'")).toEqual([{ type: 'REAL' }]);
    expect(statSync(at('host.db')).mode & 0o777).toBe(0o600);
  });

  it('tells what it wrote as JSON, and has it recorded', async () => {
    recorded.splice(0);
    const words = ['--format', 'csv', '--table', 'alerts', '--from', '1h ago', '--output', at('a.csv'), '--json'];
    const summary: unknown = JSON.parse((await run(...words)).out);
    expect(summary).toEqual({
      output: at('a.csv'),
      format: 'csv',
      tables: [{ table: 'alerts', rows: 2 }],
      rows: 2,
      bytes: statSync(at('a.csv')).size,
      from_ms: NOW_MS - 60 * MINUTE_MS,
      to_ms: null,
    });
    expect(recorded).toMatchObject([{ action: 'query_execute', data: { export: ['alerts'], format: 'csv', outcome: 'ok', rows: 2 } }]);
  });

  it('tells nothing as JSON beside rows', async () => {
    const { status, out, err } = await run('--format', 'csv', '--json');
    expect([status, out]).toEqual([2, '']);
    expect(JSON.parse(err)).toMatchObject({ error: { message: '--json needs --output', hint: 'for the rows as JSON: --format json' } });
  });

  it('overwrites nothing unless that is asked for, and only a file', async () => {
    writeFileSync(at('old'), 'mine');
    expect(await run('--format', 'csv', '--output', at('old'))).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringContaining('is not overwritten'),
    });
    expect(readFileSync(at('old'), 'utf8')).toBe('mine');
    expect((await run('--format', 'csv', '--output', at('old'), '--force')).status).toBe(0);
    expect(readFileSync(at('old'), 'utf8')).toMatch(/^id,scan_id,/);
    symlinkSync('old', at('link'));
    mkdirSync(at('folder'));
    for (const name of ['link', 'folder', '/dev/null'])
      expect(await run('--format', 'csv', '--force', '--output', name.startsWith('/') ? name : at(name))).toMatchObject({
        status: 2,
        err: expect.stringContaining('not a file'),
      });
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(readdirSync(directory).toSorted()).toEqual(['folder', 'link', 'old']);
  });

  it('says where it cannot be written, and leaves nothing behind', async () => {
    expect(await run('--format', 'csv', '--output', at('none/x'))).toMatchObject({
      status: 4,
      err: expect.stringContaining('no such file'),
    });
    expect(await run('--format', 'csv', '--output', at('x'), '--table', 'alerts', '--state-dir', at('none'))).toMatchObject({ status: 4 });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('follows no link that waits where it is going to write', async () => {
    writeFileSync(at('victim'), 'mine');
    symlinkSync('victim', at(`.new.${process.pid}.part`));
    expect(await run('--format', 'csv', '--force', '--output', at('new'))).toMatchObject({ status: 4, out: '' });
    expect(readFileSync(at('victim'), 'utf8')).toBe('mine');
  });

  it('leaves out what is not there of all tables, and says so', async () => {
    const other = createInstallation();
    try {
      other.makeHistory([{ atMs: NOW_MS - 1000, processes: [{ pid: 1 }] }]);
      const all = await other.run(['export', '--format', 'sqlite', '--output', at('all.db')]);
      expect(all).toMatchObject({ status: 0, err: expect.stringContaining('left out alerts: nothing recorded yet') });
      expect(rowsOf(at('all.db'), 'SELECT table_name FROM export_info')).toHaveLength(5);
      expect(await other.run(['export', '--format', 'csv', '--table', 'alerts'])).toMatchObject({ status: 4, out: '' });
    } finally {
      await other.close();
    }
  });
});
