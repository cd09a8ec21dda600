import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEvent } from '@sentineld/model/audit';
import { createInstallation, type Installation, type Ran } from '../fixtures/installation.ts';

let installation: Installation;
let recorded: AuditEvent[];
beforeAll(async () => {
  installation = createInstallation();
  installation.makeEvents([
    { pid: 1, exe_path: '/sbin/init', argv: ['init'] },
    { pid: 20, name: '=cmd|\u001b[2J', exe_path: '/tmp/x', argv: ['x', 'a\tb\u202e'] },
    { pid: 30, name: 'sleep', exe_path: null },
  ]);
  installation.makeLedger(3);
  recorded = await installation.serve('procmond', { 'audit.append': {} });
});
afterAll(() => installation.close());

const query = (...words: string[]): Promise<Ran> => installation.run(['query', ...words]);

describe('query', () => {
  it('shows a table, safe to look at, and is recorded without its text', async () => {
    const { status, out, err } = await query('SELECT pid, name, exe_path FROM processes ORDER BY pid');
    expect([status, err]).toEqual([0, '']);
    expect(out).toBe('pid  name          exe_path\n  1  init          /sbin/init\n 20  =cmd|\\x1b[2J  /tmp/x\n 30  sleep         NULL\n');
    const [event] = recorded.splice(0);
    expect(event).toMatchObject({
      action: 'query_execute',
      data: { outcome: 'ok', rows: 3, sql_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(JSON.stringify(event)).not.toContain('SELECT');
  });

  it('gives JSON, JSON lines and CSV', async () => {
    const sql = 'SELECT pid, name FROM processes WHERE pid IN (20, 30) ORDER BY pid';
    const rows = [
      { pid: 20, name: '=cmd|\u001b[2J' },
      { pid: 30, name: 'sleep' },
    ];
    expect(JSON.parse((await query('--json', sql)).out)).toEqual(rows);
    expect(
      (await query('--jsonl', sql)).out
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual(rows);
    expect((await query('--csv', sql)).out).toBe("pid,name\r\n20,'=cmd|\\x1b[2J\r\n30,sleep\r\n");
    expect(await query('--csv', '--json', sql)).toMatchObject({ status: 2, out: '' });
  });

  it('binds parameters: numbers as numbers, everything else as text', async () => {
    expect(
      (
        await query(
          '--csv',
          'SELECT typeof(:a) AS a, typeof(:b) AS b, :c AS c',
          '--param',
          'a=5',
          '--param',
          ':b=5x',
          '--param',
          "c=it's; DROP=x",
        )
      ).out,
    ).toMatch(/^a,b,c\r\n(integer|real),text,it's; DROP=x\r\n$/);
    expect((await query('--csv', 'SELECT name FROM processes WHERE pid = :pid', '--param', 'pid=30')).out).toBe('name\r\nsleep\r\n');
    expect(await query('SELECT :a AS a')).toMatchObject({ status: 2, err: expect.stringContaining('No value was given for :a') });
    expect(await query('SELECT 1', '--param', 'novalue')).toMatchObject({ status: 2 });
  });

  it('cuts at the limit and says so', async () => {
    const { out, err } = await query('--csv', 'SELECT pid FROM processes', '--limit', '2');
    expect(out).toBe('pid\r\n1\r\n20\r\n');
    expect(err).toBe('only the first 2 rows are shown: --limit N shows more, up to 100000\n');
  });

  it('reads the ledger where it may, and says which file is missing where it cannot', async () => {
    expect((await query('--csv', 'SELECT count(*) AS n FROM audit_ledger')).out).toBe('n\r\n3\r\n');
    const { status, err } = await query('SELECT * FROM alerts');
    expect(status).toBe(4);
    expect(err).toContain('alerts cannot be read: nothing recorded yet: there is no agent.db');
  });

  it('shows where a statement is wrong', async () => {
    const { status, out, err } = await query('SELECT pid,\n  nme FROM processes');
    expect([status, out]).toEqual([2, '']);
    expect(err).toBe(
      'sentinelcli: the statement is refused at 2:3 (column)\n  There is no column nme.\n  Did you mean name?\n      nme FROM processes\n      ^\n',
    );
    expect(JSON.parse((await query('--json', 'DELETE FROM processes')).err)).toMatchObject({
      error: { code: 'query.refused', refusal: { code: 'statement', position: { line: 1, column: 1 } } },
    });
  });

  it('ends a statement that runs away', async () => {
    const numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)';
    const { status, err } = await query(
      `${numbers} SELECT count(*) FROM n a JOIN n b ON a.i <> b.i JOIN n c ON c.i <> b.i`,
      '--timeout',
      '300ms',
    );
    expect(status).toBe(4);
    expect(err).toContain('did not end within 300 ms');
    expect(recorded.at(-1)).toMatchObject({ data: { outcome: 'timeout', rows: 0 } });
  });

  it('counts rows on a terminal, with colour there alone', async () => {
    const { out, err } = await installation.run(['query', 'SELECT pid FROM processes LIMIT 1'], { tty: true });
    expect(out).toBe('\u001b[1mpid\u001b[22m\n  1\n');
    expect(err).toMatch(/1 row, \d+ ms/);
    expect((await installation.run(['query', 'SELECT pid FROM processes LIMIT 1', '--no-color'], { tty: true })).out).toBe('pid\n  1\n');
  });
});
