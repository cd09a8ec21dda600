import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { NO_EVENTS } from '@sentineld/model/process-event';
import type { Rule, RuleScope } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import { startExecutor, type ExecutorClient, type RunRequest } from '@sentineld/detection/sql/executor-client';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch, type Scratch } from '@sentineld/store/scratch';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEvaluator, type Evaluation } from './evaluate-rule.ts';

const START_MS = Date.UTC(2026, 0, 2, 15, 4, 0);
const program = (name: string): string => fileURLToPath(new URL(`../../../detection/src/sql/${name}-main.ts`, import.meta.url));

let scratch: Scratch;
let db: DatabaseSync;
let client: ExecutorClient;
let asked: RunRequest[] = [];
beforeEach(() => {
  asked = [];
  scratch = createScratch({ schema: EVENTS_SCHEMA, rows: {} });
  db = new DatabaseSync(scratch.path);
  client = startExecutor({
    programs: { spawner: program('spawner'), executor: program('executor') },
    databases: [{ schema: 'main', path: scratch.path }],
    schema: EVENTS_SCHEMA,
    nodeArguments: ['--conditions=sentineld-source'],
    limits: { maxRows: 5 },
  });
});
afterEach(async () => {
  await client.close();
  db.close();
  scratch.close();
});

/** A scan every five seconds; what is known of the events before it. */
function scan(
  id: number,
  known: {
    readonly lost?: number;
    readonly overruns?: number;
    readonly dropped?: number;
    readonly tier?: string;
    readonly intervalMs?: number | null;
  } = {},
): void {
  const { lost = 0, overruns = 0, dropped = 0, tier = 'kernel', intervalMs = 5_000 } = known;
  db.prepare(
    'INSERT INTO coverage (scan_id, timestamp_ms, interval_ms, events_tier, events_lost, events_overruns, events_dropped) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ).run(id, START_MS + id * 5_000, intervalMs, tier, lost, overruns, dropped);
}

function exec(seq: number, name = 'x'): void {
  db.prepare("INSERT INTO process_events (seq, timestamp_ms, event, pid, name) VALUES (?, ?, 'exec', ?, ?)").run(
    seq,
    START_MS,
    100 + seq,
    name,
  );
}

const RULE = { id: 'a', sql: "SELECT seq, pid, name FROM process_events WHERE seq > :since_seq AND name = 'x' ORDER BY seq" } as Rule;

/** Rules as the book has them, one cycle after the other. */
function agent(rule: Rule = RULE, reads: readonly string[] = ['process_events'], scope: RuleScope = 'everything') {
  const entry = { rule, reads, scope, seen: null as Evaluation['seen'] } as unknown as Parameters<ReturnType<typeof createEvaluator>>[0] & {
    seen: Evaluation['seen'];
  };
  return async (scanId: number, store = 'host', tier: ScanCompleted['events']['tier'] = 'kernel') => {
    const executor = {
      run: (request: RunRequest) => {
        asked.push(request);
        return client.run(request);
      },
    };
    const completed = { scanId, timestampMs: START_MS + scanId * 5_000, events: { ...NO_EVENTS, tier } } as ScanCompleted;
    const evaluation = await createEvaluator(executor, completed, store)(entry);
    entry.seen = evaluation.seen;
    const { outcome, result, reason } = evaluation;
    return { result, reason, seqs: outcome.outcome === 'ok' ? outcome.rows.map(({ seq }) => seq) : [], outcome };
  };
}

describe('a rule over process events', () => {
  it('sees each event once, also those that were stored after the scan and before the rule was run', async () => {
    const cycle = agent();
    exec(1);
    exec(2, 'y');
    scan(1);
    exec(3);
    expect(await cycle(1)).toMatchObject({ result: 'matched', reason: null, seqs: [1, 3] });
    scan(2);
    expect(await cycle(2)).toMatchObject({ result: 'no_match', reason: null, seqs: [] });
    exec(4);
    scan(3);
    scan(4);
    expect(await cycle(4)).toMatchObject({ result: 'matched', seqs: [4] });
    expect(await cycle(4)).toMatchObject({ result: 'no_match', seqs: [] });
  });

  it('is not run where its statement would have no row, and is incomplete all the same where events were lost', async () => {
    const cycle = agent(RULE, ['process_events'], 'new_events');
    const runs = () => asked.filter(({ sql }) => sql === RULE.sql).length;
    exec(1);
    scan(1);
    expect(await cycle(1)).toMatchObject({ result: 'matched', seqs: [1] });
    scan(2);
    expect(await cycle(2)).toMatchObject({ result: 'no_match', seqs: [] });
    scan(3, { lost: 3 });
    expect(await cycle(3)).toMatchObject({ result: 'incomplete', seqs: [] });
    expect(runs()).toBe(1);
    exec(2);
    scan(4);
    expect(await cycle(4)).toMatchObject({ result: 'matched', seqs: [2] });
    expect(runs()).toBe(2);
  });

  it('sees again what it could not be run over', async () => {
    const broken = { ...RULE };
    const cycle = agent(broken);
    exec(1);
    scan(1);
    await cycle(1);
    exec(2);
    Object.assign(broken, { sql: 'SELECT nothing FROM process_events' });
    scan(2, { lost: 3 });
    expect(await cycle(2)).toMatchObject({ result: 'failed', reason: expect.stringContaining('nothing') });
    Object.assign(broken, RULE);
    scan(3);
    expect(await cycle(3)).toMatchObject({
      result: 'incomplete',
      reason: '3 events were lost between 15:04:05 and 15:04:10 UTC',
      seqs: [2],
    });
  });

  it('is given what its row says of a process that is gone', async () => {
    const wide = {
      ...RULE,
      sql: RULE.sql.replace(
        'seq, pid',
        "seq, pid, 33 AS user_id, '/dev/shm/x' AS exe_path, '[\"x\",\"a b\"]' AS command_line, 7 AS ppid, 'nginx' AS parent_name",
      ),
    };
    db.exec("INSERT INTO processes (pid, name, exe_path) VALUES (101, 'another', '/bin/another')");
    exec(1);
    scan(1);
    const { outcome } = await agent(wide)(1);
    expect(outcome.outcome === 'ok' && outcome.processes).toEqual([
      {
        pid: 101,
        startTimeMs: null,
        name: 'x',
        exePath: '/dev/shm/x',
        argv: ['x', 'a b'],
        user: 'uid 33',
        ppid: 7,
        parentName: 'nginx',
        parentExe: null,
        parentCmdline: null,
      },
    ]);
  });

  it('begins anew with another store, whose numbers mean something else', async () => {
    const cycle = agent();
    exec(1);
    scan(1);
    await cycle(1);
    expect(await cycle(1, 'another')).toMatchObject({ result: 'matched', seqs: [1] });
  });
});

describe('a rule over process events that missed some', () => {
  it.each([
    [{ lost: 12 }, '12 events were lost between 15:04:05 and 15:04:10 UTC'],
    [{ dropped: 1 }, '1 event was dropped between 15:04:05 and 15:04:10 UTC'],
    [{ lost: 2, overruns: 1, dropped: 3 }, '2 events were lost and 3 events were dropped between 15:04:05 and 15:04:10 UTC'],
    [{ overruns: 1 }, 'an unknown number of events was lost between 15:04:05 and 15:04:10 UTC'],
    [{ tier: 'off' }, 'there was no event source between 15:04:05 and 15:04:10 UTC'],
    [{ intervalMs: null }, 'procmond was away between 15:04:05 and 15:04:10 UTC'],
  ])('is incomplete: %j', async (known, reason) => {
    const cycle = agent();
    scan(1);
    expect(await cycle(1)).toMatchObject({ result: 'no_match', reason: null });
    scan(2, known);
    expect(await cycle(2)).toMatchObject({ result: 'incomplete', reason });
    scan(3);
    expect(await cycle(3)).toMatchObject({ result: 'no_match', reason: null });
  });

  it('counts what was lost before scans that were passed over', async () => {
    const cycle = agent();
    scan(1);
    await cycle(1);
    scan(2, { lost: 5 });
    scan(3, { lost: 7 });
    scan(4);
    scan(5);
    expect(await cycle(5)).toMatchObject({ result: 'incomplete', reason: '12 events were lost between 15:04:05 and 15:04:15 UTC' });
  });

  it('says it once of a scan that is looked at again, as after procmond was reached anew', async () => {
    const cycle = agent();
    scan(1);
    await cycle(1);
    scan(2, { lost: 5 });
    expect(await cycle(2)).toMatchObject({ result: 'incomplete' });
    expect(await cycle(2)).toMatchObject({ result: 'no_match', reason: null });
  });

  it('still finds what it finds', async () => {
    exec(1);
    scan(1);
    scan(2, { lost: 1 });
    expect(await agent()(2)).toMatchObject({ result: 'incomplete', seqs: [1] });
  });

  it('looks no further back than the newest interval where it is new', async () => {
    scan(1, { lost: 5, intervalMs: null });
    scan(2);
    expect(await agent()(2)).toMatchObject({ result: 'no_match', reason: null });
  });

  it('is not incomplete for the first scan that ever was', async () => {
    scan(1, { intervalMs: null });
    expect(await agent()(1)).toMatchObject({ result: 'no_match', reason: null });
  });

  it('says in the same words in every cycle that there is no source, and looks nothing up for it', async () => {
    const cycle = agent();
    for (const id of [1, 2]) {
      scan(id, { tier: 'off' });
      expect(await cycle(id, 'host', 'off')).toMatchObject({ result: 'incomplete', reason: 'no event source' });
    }
    expect(asked.filter(({ sql }) => sql.includes('coverage'))).toEqual([]);
  });

  it('is incomplete where more matched than is kept, since that is not seen again', async () => {
    const cycle = agent();
    for (let seq = 1; seq <= 8; seq++) exec(seq);
    scan(1);
    expect(await cycle(1)).toMatchObject({
      result: 'incomplete',
      reason: 'more rows matched than the 5 that were kept',
      seqs: [1, 2, 3, 4, 5],
    });
    expect(await cycle(1)).toMatchObject({ result: 'no_match' });
  });

  it('says that it cannot tell, where coverage cannot be read', async () => {
    db.exec('DROP TABLE coverage');
    expect(await agent()(1)).toMatchObject({
      result: 'incomplete',
      reason: expect.stringMatching(/^what was missed cannot be told: .*coverage/),
    });
  });
});

it('a rule over processes alone asks for none of it, and is what it was', async () => {
  const rule = { ...RULE, sql: 'SELECT 1 AS seq FROM processes WHERE start_time > :since AND :now > 0 AND :scan_id > 0' };
  const cycle = agent(rule, ['processes']);
  scan(1, { lost: 5, tier: 'off' });
  expect(await cycle(1, 'host', 'off')).toMatchObject({ result: 'no_match', reason: null });
  await cycle(2);
  expect(asked.map(({ sql, parameters }) => [sql, parameters])).toEqual([
    [rule.sql, { now: START_MS + 5_000, since: 0, scan_id: 1, since_seq: 0 }],
    [rule.sql, { now: START_MS + 10_000, since: START_MS + 5_000, scan_id: 2, since_seq: 0 }],
  ]);
});
