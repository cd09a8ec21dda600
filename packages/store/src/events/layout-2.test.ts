import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWriter, stopWriter } from '../open.ts';
import { BOOT, executable, image, record, RUN, scan } from './fixtures/scans.fixture.ts';
import { NO_EVENTS } from '@sentineld/model/process-event';
import { LAYOUT_1 } from './layout-1.ts';
import { EVENTS_MIGRATIONS } from './migrations.ts';
import { openEventsWriter } from './writer.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-layout-'));
  path = join(directory, 'events.db');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('version 1 is as it was released', () => {
  expect(createHash('sha256').update(LAYOUT_1).digest('hex')).toBe('7d69b75a7b3ba07b3076c6f7f69e984a70d152321864196da225d8220b697cec');
});

const LIVE_1 = 9_007_199_254_740_991;

/** Rows as version 1 wrote them: two runs, three scans; of each kind of value one that is unusual. */
function fillVersion1(): void {
  const db = openWriter({ path, durability: 'normal', cacheKiB: 1024, migrations: EVENTS_MIGRATIONS.slice(0, 1) });
  const insertScan =
    db.prepare(`INSERT INTO scan (id, run_id, correlation_id, source, start_time_ms, end_time_ms, duration_ms, interval_ms, load_average,
    seen, accessible, exe_unreadable, argv_unreadable, argv_truncated, vanished, errors, other_users_hidden, hashes_pending, hashes_unreadable,
    reason, started, changed, stopped) VALUES (?, ?, ?, 'poll', ?, ?, 10, ?, 0.5, 3, 2, 1, 0, 0, 0, 0, 0, 1, 0, ?, 1, 1, 1)`);
  const insertImage =
    db.prepare(`INSERT INTO process_image (id, first_scan, last_scan, level, node, run_id, pid, start_ticks, ppid, name, executable_id,
    exe_deleted, command_line, cmdline, start_time_ms, user_id, user_name, group_id, session_id, tty_number, is_kthread, unseen, begun_by, ended_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 1700000000000, ?, ?, ?, 10, ?, 0, ?, 'started', ?)`);
  const insertSample = db.prepare('INSERT INTO process_sample VALUES (?, ?, ?, ?, ?)');
  const argvOf = (argv: readonly string[] | null) => [argv === null ? null : JSON.stringify(argv), argv?.join(' ') ?? null];
  db.transaction(() => {
    for (const [id, boot] of [
      [1, '00000000-0000-4000-8000-000000000000'],
      [2, BOOT],
    ])
      db.prepare(`INSERT INTO collector_run VALUES (?, 1, ?, 'host', 'Linux', NULL, '0.1.0', 'c0ffee')`).run(id, boot);
    for (const id of [1, 2, 3])
      insertScan.run(id, id === 1 ? 1 : 2, `scan-${id}`, id * 1000, id * 1000 + 10, id === 1 ? null : 1000, id === 2 ? 'half' : null);
    const { path: file, dev, inode, sizeBytes, mtimeNs, ctimeNs } = executable('/bin/sh');
    db.prepare(`INSERT INTO executable VALUES (1, ?, ?, ?, ?, ?, ?, ?, 'hashed', NULL)`).run(
      file,
      dev,
      inode,
      sizeBytes,
      mtimeNs,
      ctimeNs,
      'ab'.repeat(32),
    );
    insertImage.run(
      1,
      1,
      1,
      0,
      1,
      1,
      10,
      1000,
      1,
      'old',
      null,
      ...argvOf(null),
      null,
      null,
      null,
      0,
      '[{"field":"exe","reason":"EACCES"}]',
      'stopped',
    );
    insertImage.run(2, 2, 2, 1, 2, 2, 10, 2000, 1, 'sh', 1, ...argvOf(['sh', '-c', 'a b']), 0, 'root', 0, 34_816, null, 'changed');
    insertImage.run(
      3,
      3,
      LIVE_1,
      31,
      2 ** 31,
      2,
      10,
      1000,
      11,
      'sh',
      1,
      ...argvOf(['sh', '-c', 'true']),
      1000,
      'alice',
      1000,
      0,
      null,
      null,
    );
    insertImage.run(4, 2, LIVE_1, 31, 2 ** 31, 2, 11, 1100, 0, 'x"\\', null, ...argvOf([]), 1000, 'alice', 1000, 0, null, null);
    insertImage.run(5, 1, LIVE_1, 31, 2 ** 31, 2, 12, 1200, 11, '', 1, ...argvOf(['', 'ä', '"']), 1000, null, null, -1, null, null);
    insertSample.run(1, 1, null, 0, 'zombie');
    insertSample.run(2, 2, 99.9, 4096, 'running');
    insertSample.run(3, 3, 0.1, 4097, 'sleeping');
    insertSample.run(4, 2, 1234.5, 2 ** 52, 'disk_sleep');
    insertSample.run(4, 3, 0, 8192, 'unknown');
    insertSample.run(5, 1, null, 1, 'idle');
  })();
  stopWriter(db);
}

const VIEWS = ['processes', 'process_snapshots', 'process_tree', 'scan_metadata', 'coverage'];
type Row = Record<string, unknown>;

/** Every view in a fixed order, with what JSON holds taken apart. */
function whatViewsSay(): Record<string, Row[]> {
  const db = new Database(path, { readonly: true });
  try {
    return Object.fromEntries(
      VIEWS.map((view): [string, Row[]] => {
        const order = view === 'process_tree' ? 'pid' : view === 'coverage' ? 'scan_id' : 'id';
        const rows = db.prepare<[], Row>(`SELECT * FROM ${view} ORDER BY ${order}`).all();
        return [
          view,
          rows.map((row) => ('platform_data' in row ? { ...row, platform_data: JSON.parse(String(row['platform_data'])) } : row)),
        ];
      }),
    );
  } finally {
    db.close();
  }
}

describe('a file of version 1', () => {
  it('tells after the migration what it told before', () => {
    fillVersion1();
    const before = whatViewsSay();
    expect(before['process_snapshots']).toHaveLength(8);
    expect(before['processes']).toHaveLength(3);
    stopWriter(openWriter({ path, durability: 'normal', cacheKiB: 1024, migrations: EVENTS_MIGRATIONS }));
    const after = whatViewsSay();
    for (const view of VIEWS) {
      // Columns were added; what was there says the same.
      const rows = after[view] ?? [];
      expect(rows).toHaveLength(before[view]?.length ?? -1);
      for (const [index, row] of (before[view] ?? []).entries()) expect(rows[index]).toMatchObject(row);
    }
    expect(after['coverage']?.[0]).toMatchObject({ events_tier: 'off', events_lost: 0 });
    expect(after['processes']?.[0]).toMatchObject({ threads: null, cwd: null, container_id: null, real_user_id: null });
  });

  it('is gone on with: who says nothing new is the same process', () => {
    fillVersion1();
    const writer = openEventsWriter(path, RUN);
    const known = { realUserId: null, realGroupId: null, cwd: null } as const;
    const processes = [
      record(10, { startTicks: 1000, image: image({ ...known, ppid: 11 }) }),
      record(11, { startTicks: 1100, image: image({ ppid: 0, name: 'x"\\', exe: null, argv: [] }) }),
      record(12, { startTicks: 1201, image: image() }),
    ];
    expect(writer.recordScan(scan(processes), 'scan-4', 'poll', NO_EVENTS)).toMatchObject({
      scanId: 4,
      started: 1,
      changed: 1,
      stopped: 1,
    });
    writer.recordEvents([]);
    writer.stop();
    const { process_snapshots: rows = [] } = whatViewsSay();
    expect(rows.filter((row) => row['scan_id'] === 3).map((row) => row['pid'])).toEqual([10, 11, 12]);
    expect(rows.filter((row) => row['scan_id'] === 4)).toHaveLength(3);
  });
});
