import { DatabaseSync } from 'node:sqlite';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { SCRATCH_SCAN, createScratch } from '@sentineld/store/scratch';
import { describe, expect, it } from 'vitest';
import { parseRecordedEvent, type RecordedEvent } from './recorded-event.ts';
import { FIRST_OWN_PID, recordingTables } from './recording-rows.ts';

function eventsOf(lines: readonly object[]): readonly RecordedEvent[] {
  return lines.map((line, at) => {
    const parsed = parseRecordedEvent(JSON.stringify(line), at + 1);
    if (!parsed.ok) throw new Error(parsed.why);
    return parsed.event;
  });
}

function ask(lines: readonly object[], sql: string): readonly unknown[] {
  const scratch = createScratch({ schema: EVENTS_SCHEMA, rows: recordingTables(eventsOf(lines), EVENTS_SCHEMA).rows });
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

const SHELL = { pid: 50, ppid: 1, name: 'sh', Image: '/usr/bin/dash', argv: ['sh'], User: 'root', t_ms: 0 };
const CHILD = {
  pid: 51,
  ppid: 50,
  name: 'id',
  Image: '/usr/bin/id',
  argv: ['id', '-u'],
  ParentImage: '/usr/bin/dash',
  ParentCommandLine: 'sh',
  CurrentDirectory: '/tmp',
  User: 'ana',
  t_ms: 12.6,
};

describe('the rows of a recording', () => {
  it('are events in their order, with what the recording says of the parent', () => {
    const columns = 'seq, event, pid, ppid, name, exe_path, command_line, cmdline, user_id, parent_name, parent_exe, parent_cmdline';
    expect(ask([SHELL, CHILD], `SELECT ${columns} FROM process_events`)).toEqual([
      {
        seq: 1,
        event: 'exec',
        pid: 50,
        ppid: 1,
        name: 'sh',
        exe_path: '/usr/bin/dash',
        command_line: '["sh"]',
        cmdline: 'sh',
        user_id: 0,
        parent_name: null,
        parent_exe: null,
        parent_cmdline: null,
      },
      {
        seq: 2,
        event: 'exec',
        pid: 51,
        ppid: 50,
        name: 'id',
        exe_path: '/usr/bin/id',
        command_line: '["id","-u"]',
        cmdline: 'id -u',
        user_id: null,
        parent_name: 'sh',
        parent_exe: '/usr/bin/dash',
        parent_cmdline: 'sh',
      },
    ]);
  });

  it('are processes with pids of their own, joined where the parent is in the recording', () => {
    const again = { ...CHILD, pid: 50, ParentImage: '/usr/bin/zsh' };
    expect(ask([SHELL, CHILD, again], 'SELECT pid, ppid, user_name, cwd, parent_name FROM processes')).toEqual([
      { pid: FIRST_OWN_PID + 1, ppid: 1, user_name: 'root', cwd: null, parent_name: null },
      { pid: FIRST_OWN_PID + 2, ppid: FIRST_OWN_PID + 1, user_name: 'ana', cwd: '/tmp', parent_name: 'sh' },
      // Another program has the pid of the parent: what is known of the parent is its path.
      { pid: FIRST_OWN_PID + 3, ppid: 50, user_name: 'ana', cwd: '/tmp', parent_name: 'zsh' },
    ]);
    expect(ask([SHELL, CHILD], 'SELECT path FROM process_tree WHERE depth = 1')).toEqual([{ path: 'sh > id' }]);
  });

  it('are NULL where the recording says nothing', () => {
    expect(
      ask([{}], 'SELECT pid, ppid, name, exe_path, command_line, cmdline, user_id, parent_name, parent_exe FROM process_events'),
    ).toEqual([
      {
        pid: 0,
        ppid: null,
        name: null,
        exe_path: null,
        command_line: null,
        cmdline: null,
        user_id: null,
        parent_name: null,
        parent_exe: null,
      },
    ]);
    expect(ask([{}], 'SELECT name, exe_path, user_name, ppid FROM processes')).toEqual([
      { name: '', exe_path: null, user_name: null, ppid: 0 },
    ]);
  });

  it('end at the scan, whatever the recording counts its times from', () => {
    const at = SCRATCH_SCAN.timeMs;
    for (const offset of [0, -5000, 1_700_000_000_000]) {
      const lines = [CHILD, SHELL, {}].map((line) => ('t_ms' in line ? { ...line, t_ms: Number(line.t_ms) + offset } : line));
      expect(ask(lines, 'SELECT timestamp_ms FROM process_events')).toEqual([
        { timestamp_ms: at },
        { timestamp_ms: at - 13 },
        { timestamp_ms: at },
      ]);
      expect(recordingTables(eventsOf(lines), EVENTS_SCHEMA).parameters).toEqual({ now: at, since: at - 14, scan_id: 1, since_seq: 0 });
    }
  });

  it('tell of an interval in which nothing was lost', () => {
    expect(ask([SHELL, CHILD], 'SELECT events_tier, execs, events_lost, interval_ms FROM coverage')).toEqual([
      { events_tier: 'kernel', execs: 2, events_lost: 0, interval_ms: 14 },
    ]);
  });

  it('cut the name of a parent that is known by its path alone as the kernel would', () => {
    const lines = [{ ...CHILD, ParentImage: `/opt/${'é'.repeat(10)}` }];
    expect(ask(lines, 'SELECT parent_name FROM process_events')).toEqual([{ parent_name: 'é'.repeat(7) }]);
  });
});
