import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command, ProcessEvent } from '@sentineld/model/process-event';
import { BOOT, command, executable, image, openStore, processEvent, record, type Row, type TestStore } from './fixtures/scans.fixture.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

const all = (columns: string): readonly Row[] => store.rows(`SELECT ${columns} FROM process_events ORDER BY seq`);

describe('process_events', () => {
  it('has a row for each event, with what ran and what had forked it', () => {
    const events = [
      processEvent(10, { timestampMs: 1_700_000_000_000.4 }),
      processEvent(11, { kind: 'exit', exitCode: 3, command: command({ argv: ['a b', '"'], redacted: 2 }) }),
      processEvent(12, {
        kind: 'exit',
        exitSignal: 9,
        command: null,
        parent: null,
        ppid: null,
        startTicks: null,
        userId: null,
        groupId: null,
      }),
    ];
    expect(store.writer().recordEvents(events)).toBe(3);
    const common = { parent_name: 'init', parent_exe: '/sbin/init', parent_cmdline: '/sbin/init', boot_id: BOOT, image_id: null };
    expect(all('*')).toEqual([
      {
        seq: 1,
        timestamp_ms: 17e11,
        event: 'exec',
        pid: 10,
        ppid: 1,
        name: 'sh',
        exe_path: '/bin/sh',
        command_line: '["sh","-c","true"]',
        cmdline: 'sh -c true',
        redacted: 0,
        user_id: 1e3,
        group_id: 1e3,
        exit_code: null,
        exit_signal: null,
        start_ticks: 1e3,
        process_id: `${BOOT}:10:1000`,
        ...common,
      },
      {
        seq: 2,
        timestamp_ms: 1700000099e3,
        event: 'exit',
        pid: 11,
        ppid: 1,
        name: 'sh',
        exe_path: '/bin/sh',
        command_line: '["a b","\\""]',
        cmdline: 'a b "',
        redacted: 2,
        user_id: 1e3,
        group_id: 1e3,
        exit_code: 3,
        exit_signal: null,
        start_ticks: 1100,
        process_id: `${BOOT}:11:1100`,
        ...common,
      },
      {
        seq: 3,
        timestamp_ms: 1700000099e3,
        event: 'exit',
        pid: 12,
        ppid: null,
        name: null,
        exe_path: null,
        command_line: null,
        cmdline: null,
        redacted: null,
        user_id: null,
        group_id: null,
        exit_code: null,
        exit_signal: 9,
        start_ticks: null,
        process_id: null,
        ...common,
        parent_name: null,
        parent_exe: null,
        parent_cmdline: null,
      },
    ]);
  });

  it('gives every command back as it was, whatever it is made of', () => {
    const texts = fc.constantFrom('', 'a', ' ', 'a b', '"', '","', '\\', '\n', '\u2028', '\u{1F600}', '[', '-', '0,1,1:');
    const commands = fc.record<Command>({
      name: texts,
      exePath: fc.option(texts.filter((text) => text !== '')),
      argv: fc.option(fc.array(texts, { maxLength: 3 })),
      redacted: fc.nat({ max: 1 }),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(commands, fc.boolean()), { maxLength: 12 }), (list) => {
        const before = Number(store.rows('SELECT coalesce(max(seq), 0) AS n FROM process_events')[0]?.['n']);
        store
          .writer()
          .recordEvents(list.map(([one, again]) => processEvent(1, { command: one, parent: again ? structuredClone(one) : null })));
        const rows = store.rows(
          'SELECT name, exe_path, command_line, cmdline, redacted, parent_cmdline FROM process_events WHERE seq > ? ORDER BY seq',
          before,
        );
        expect(rows).toEqual(
          list.map(([{ name, exePath, argv, redacted }, again]) => {
            const cmdline = argv?.join(' ') ?? null;
            const commandLine = argv === null ? null : JSON.stringify(argv);
            return { name, exe_path: exePath, command_line: commandLine, cmdline, redacted, parent_cmdline: again ? cmdline : null };
          }),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('stores a command once, that of a process that a scan saw too', () => {
    store.writer().recordEvents([processEvent(10), processEvent(11), processEvent(10, { kind: 'exit', exitCode: 0 })]);
    store.write([record(10), record(11)]);
    expect([store.count('command'), store.count('process_event')]).toEqual([2, 3]);
  });

  it('names the image that a scan has of the process, and of no other that had its pid', () => {
    store.writer().recordEvents([processEvent(10), processEvent(11), processEvent(10, { startTicks: 5 })]);
    store.write([record(10)]);
    store.write([record(10, { image: image({ exe: executable('/bin/other') }) })]);
    expect(all('pid, start_ticks, image_id')).toEqual([
      { pid: 10, start_ticks: 1000, image_id: 2 },
      { pid: 11, start_ticks: 1100, image_id: null },
      { pid: 10, start_ticks: 5, image_id: null },
    ]);
    store.restart('22222222-2222-4222-8222-222222222222');
    store.writer().recordEvents([processEvent(10)]);
    expect(all('image_id').at(-1)).toEqual({ image_id: null });
    const plan = store.rows('EXPLAIN QUERY PLAN SELECT image_id FROM process_events').map((row) => String(row['detail']));
    expect(plan).toContainEqual(expect.stringContaining('USING INDEX process_image_pid (pid=?)'));
    expect(plan.filter((step) => step.startsWith('SCAN '))).toEqual(['SCAN e']);
  });
});

describe('numbers of events', () => {
  it('never go back, not after a start and not when all are gone', () => {
    store.writer().recordEvents([processEvent(1), processEvent(2)]);
    store.restart();
    store.writer().recordEvents([processEvent(3)]);
    store.meddle('DELETE FROM process_event');
    store.restart();
    store.writer().recordEvents([processEvent(4)]);
    expect(all('seq, pid')).toEqual([{ seq: 4, pid: 4 }]);
  });

  it('are divided among the scans that follow', () => {
    store.writer().recordEvents([processEvent(1), processEvent(2)]);
    store.write([]);
    store.write([]);
    store.writer().recordEvents([processEvent(3)]);
    store.restart();
    store.writer().recordEvents([processEvent(4)]);
    store.write([]);
    expect(store.rows('SELECT events_after AS after, events_until AS until FROM scan ORDER BY id')).toEqual([
      { after: 0, until: 2 },
      { after: 2, until: 2 },
      { after: 2, until: 4 },
    ]);
  });
});

describe('a batch of events that cannot be written', () => {
  it('leaves nothing behind, and the next is right', () => {
    const broken = processEvent(3, { pid: null as unknown as number });
    const unusual: ProcessEvent = processEvent(2, { command: command({ name: 'unusual' }) });
    store.writer().recordEvents([processEvent(1)]);
    const commands = store.count('command');
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => store.writer().recordEvents([unusual, broken])).toThrow(/NOT NULL/);
      expect([store.count('process_event'), store.count('command')]).toEqual([1, commands]);
    }
    store.write([record(1, { image: image({ name: 'unusual' }) })]);
    store.writer().recordEvents([unusual]);
    expect(store.rows('SELECT name, cmdline FROM process_events ORDER BY seq DESC LIMIT 1')).toEqual([
      { name: 'unusual', cmdline: 'sh -c true' },
    ]);
    expect(store.rows('SELECT name FROM processes')).toEqual([{ name: 'unusual' }]);
  });
});
