import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EVENTS_SCHEMA } from './readable-schema.ts';
import { checkScratchRows, createScratch, type ScratchRows } from './scratch.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scratch-test-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What a query over these rows returns. */
function query(rows: ScratchRows, sql: string): Record<string, unknown>[] {
  const scratch = createScratch({ schema: EVENTS_SCHEMA, rows, directory });
  const database = new DatabaseSync(scratch.path, { readOnly: true });
  try {
    return database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
    scratch.close();
  }
}

describe('the file', () => {
  test('is private, and gone after close', () => {
    const scratch = createScratch({ schema: EVENTS_SCHEMA, rows: {}, directory });
    expect(statSync(scratch.path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(scratch.path)).mode & 0o777).toBe(0o700);
    scratch.close();
    expect(existsSync(dirname(scratch.path))).toBe(false);
  });

  test('a directory that is not there is state.unusable', () => {
    expect(() => createScratch({ schema: EVENTS_SCHEMA, rows: {}, directory: join(directory, 'absent') })).toThrow(
      expect.objectContaining({ code: 'state.unusable' }),
    );
  });

  test('has every table and column of the schema, with its type', () => {
    const sql =
      "SELECT m.name AS t, c.name AS c, c.type AS type FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'";
    const expected = EVENTS_SCHEMA.tables.flatMap((table) =>
      table.columns.map((column) => ({ t: table.name, c: column.name, type: column.type })),
    );
    expect(query({}, sql)).toEqual(expected);
  });
});

describe('process rows', () => {
  test('need a pid alone', () => {
    const [row] = query({ processes: [{ pid: 7 }] }, 'SELECT * FROM processes');
    expect(row).toMatchObject({
      pid: 7,
      ppid: 1,
      scan_id: 1,
      id: 4_194_311,
      name: '',
      exe_path: null,
      command_line: null,
      cmdline: null,
      status: 'sleeping',
      exe_deleted: 0,
      is_kthread: 0,
      hash_algorithm: 'sha256',
      parent_name: null,
      platform_data: '{}',
    });
    expect(row?.['start_time']).toBeLessThan(Number(row?.['timestamp_ms']));
  });

  test('argv gives both forms of the arguments, and a name', () => {
    const argv = ['/usr/bin/a b', '-c', 'x "y"\n\'z\' 100%', ''];
    const [row] = query({ processes: [{ pid: 7, argv }] }, 'SELECT name, command_line, cmdline FROM processes');
    expect(row).toEqual({ name: 'a b', command_line: JSON.stringify(argv), cmdline: argv.join(' ') });
  });

  test('command_line as JSON text gives cmdline', () => {
    expect(
      query(
        {
          processes: [
            { pid: 7, command_line: '["a","b c"]' },
            { pid: 8, command_line: '{' },
          ],
        },
        'SELECT cmdline FROM processes',
      ),
    ).toEqual([{ cmdline: 'a b c' }, { cmdline: null }]);
  });

  test('the name is cut as the kernel cuts it', () => {
    const rows = [
      { pid: 1, exe_path: '/opt/containerd-shim-runc-v2' },
      { pid: 2, exe_path: '/opt/ääääääää' },
    ];
    expect(query({ processes: rows }, 'SELECT name FROM processes')).toEqual([{ name: 'containerd-shim' }, { name: 'äääääää' }]);
  });

  test('the parent is looked up, and what is given wins', () => {
    const rows = [
      { pid: 5, exe_path: '/usr/sbin/nginx', argv: ['nginx: worker'] },
      { pid: 6, ppid: 5 },
      { pid: 7, ppid: 5, parent_name: 'other', parent_exe: null },
      { pid: 8, ppid: 99 },
    ];
    expect(query({ processes: rows }, 'SELECT parent_name AS n, parent_exe AS e, parent_cmdline AS c FROM processes')).toEqual([
      { n: null, e: null, c: null },
      { n: 'nginx', e: '/usr/sbin/nginx', c: 'nginx: worker' },
      { n: 'other', e: null, c: 'nginx: worker' },
      { n: null, e: null, c: null },
    ]);
  });

  test('a kernel thread has no arguments', () => {
    expect(
      query(
        { processes: [{ pid: 9, name: 'kworker/0:1', is_kthread: true }] },
        'SELECT is_kthread, command_line, cmdline, ppid FROM processes',
      ),
    ).toEqual([{ is_kthread: 1, command_line: '[]', cmdline: '', ppid: 2 }]);
  });

  test('the other tables follow from them', () => {
    const rows = {
      processes: [
        { pid: 1, ppid: 0, name: 'init' },
        { pid: 5, name: 'sh' },
        { pid: 6, ppid: 5, name: 'id' },
      ],
    };
    expect(query(rows, 'SELECT pid, ppid, root_pid, depth, path FROM process_tree WHERE pid = 6')).toEqual([
      { pid: 6, ppid: 5, root_pid: 1, depth: 2, path: 'init > sh > id' },
    ]);
    expect(query(rows, 'SELECT count(*) AS n FROM process_snapshots AS s JOIN scan_metadata AS m ON m.id = s.scan_id')).toEqual([{ n: 3 }]);
  });

  test('parents in a circle end', () => {
    expect(
      query(
        {
          processes: [
            { pid: 5, ppid: 6 },
            { pid: 6, ppid: 5 },
          ],
        },
        'SELECT max(depth) AS depth FROM process_tree',
      ),
    ).toEqual([{ depth: 63 }]);
  });
});

describe('event rows', () => {
  test('need a pid alone, and are in their order', () => {
    const rows = { process_events: [{ pid: 7 }, { pid: 8, event: 'exit', exit_code: 0 }] };
    expect(query(rows, 'SELECT seq, event, pid, ppid, name, exe_path, cmdline, start_ticks, exit_code FROM process_events')).toEqual([
      { seq: 1, event: 'exec', pid: 7, ppid: 1, name: '', exe_path: null, cmdline: null, start_ticks: null, exit_code: null },
      { seq: 2, event: 'exit', pid: 8, ppid: 1, name: '', exe_path: null, cmdline: null, start_ticks: null, exit_code: 0 },
    ]);
    expect(query(rows, 'SELECT count(*) AS n FROM process_events e JOIN scan_metadata s ON s.start_time = e.timestamp_ms')).toEqual([
      { n: 2 },
    ]);
    expect(query({}, 'SELECT count(*) AS n FROM process_events')).toEqual([{ n: 0 }]);
  });

  test('argv gives both forms of the arguments, and a name', () => {
    const rows = { process_events: [{ seq: 40, pid: 7, argv: ['/usr/bin/sh', '-c', 'a b'] }] };
    expect(query(rows, 'SELECT seq, name, command_line, cmdline FROM process_events')).toEqual([
      { seq: 40, name: 'sh', command_line: '["/usr/bin/sh","-c","a b"]', cmdline: '/usr/bin/sh -c a b' },
    ]);
  });

  test('the parent is the event of its pid before, then the process that has it, and what is given wins', () => {
    const rows = {
      processes: [{ pid: 5, exe_path: '/usr/sbin/nginx', argv: ['nginx: worker'] }],
      process_events: [
        { pid: 6, ppid: 5, exe_path: '/usr/bin/sh' },
        { pid: 7, ppid: 6 },
        { pid: 6, ppid: 5, exe_path: '/usr/bin/id' },
        { pid: 8, ppid: 6, parent_name: 'other' },
        { pid: 9, ppid: 10 },
        { pid: 10 },
      ],
    };
    expect(query(rows, 'SELECT pid, parent_name AS n, parent_exe AS e, parent_cmdline AS c FROM process_events')).toEqual([
      { pid: 6, n: 'nginx', e: '/usr/sbin/nginx', c: 'nginx: worker' },
      { pid: 7, n: 'sh', e: '/usr/bin/sh', c: null },
      { pid: 6, n: 'nginx', e: '/usr/sbin/nginx', c: 'nginx: worker' },
      { pid: 8, n: 'other', e: '/usr/bin/id', c: null },
      { pid: 9, n: null, e: null, c: null },
      { pid: 10, n: null, e: null, c: null },
    ]);
  });

  test('coverage has the events of the kernel, and lost none', () => {
    expect(query({ coverage: [{ scan_id: 4 }] }, 'SELECT events_tier, events_lost, events_dropped FROM coverage')).toEqual([
      { events_tier: 'kernel', events_lost: 0, events_dropped: 0 },
    ]);
  });
});

test('rows of other tables are taken as given, with defaults', () => {
  const rows = { coverage: [{ scan_id: 4, reason: 'x' }], scan_metadata: [{ id: 4, load_average: 0.5 }], process_tree: [] };
  expect(
    query(rows, 'SELECT c.reason, c.source, m.load_average, m.os_version FROM coverage AS c JOIN scan_metadata AS m ON m.id = c.scan_id'),
  ).toEqual([{ reason: 'x', source: '', load_average: 0.5, os_version: null }]);
});

describe('what does not fit', () => {
  const cases: [rows: ScratchRows, row: number | null, key: string | null, message: RegExp][] = [
    [{ sockets: [] }, null, null, /no table sockets/],
    [{ processes: [{ pid: 1 }, { pid: 2, exe: '/bin/sh' }] }, 1, 'exe', /processes, row 2: there is no column exe/],
    [{ processes: [{ pid: '1' }] }, 0, 'pid', /pid is not a whole number/],
    [{ processes: [{ pid: 1.5 }] }, 0, 'pid', /pid is not a whole number/],
    [{ processes: [{}] }, 0, 'pid', /pid is missing/],
    [{ process_events: [{ event: 'exec' }] }, 0, 'pid', /pid is missing/],
    [{ process_events: [{ pid: 1, argv: 'sh' }] }, 0, 'argv', /list of texts/],
    [{ processes: [{ pid: 1, name: null }] }, 0, 'name', /name is not a text/],
    [{ processes: [{ pid: 1, name: 5 }] }, 0, 'name', /name is not a text/],
    [{ processes: [{ pid: 1, exe_path: true }] }, 0, 'exe_path', /a text or null/],
    [{ processes: [{ pid: 1, memory_bytes: true }] }, 0, 'memory_bytes', /a whole number/],
    [{ processes: [{ pid: 1, cpu_percent: Number.NaN }] }, 0, 'cpu_percent', /a number/],
    [{ processes: [{ pid: 1, argv: 'sh -c id' }] }, 0, 'argv', /list of texts/],
    [{ processes: [{ pid: 1, argv: ['sleep', 5] }] }, 0, 'argv', /list of texts/],
    [{ coverage: [{ argv: [] }] }, 0, 'argv', /no column argv/],
  ];
  test.each(cases)('%j', (rows, row, key, message) => {
    expect(checkScratchRows(EVENTS_SCHEMA, rows)).toEqual([expect.objectContaining({ row, key, message: expect.stringMatching(message) })]);
    expect(() => createScratch({ schema: EVENTS_SCHEMA, rows, directory })).toThrow(
      expect.objectContaining({ code: 'usage.invalid', message: expect.stringMatching(message) }),
    );
  });
});
