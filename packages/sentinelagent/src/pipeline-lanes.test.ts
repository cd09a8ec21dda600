import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_EVENTS } from '@sentineld/model/process-event';
import type { AuditEvent } from '@sentineld/model/audit';
import type { RuleOutcome } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import type { RunRequest } from '@sentineld/detection/sql/executor-client';
import { silentLogger } from '@sentineld/runtime/log/logger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTally } from './cycle-tally.ts';
import { concludeApart, runCycle, runOverEvents, type PipelineOptions } from './pipeline.ts';
import { createRuleBook } from './rule-book.ts';
import { createRulesApart } from './rules-apart.ts';

const SCAN: ScanCompleted = {
  event: 'scan.completed', scanId: 3, correlationId: 'scan-3', timestampMs: 1000, durationMs: 1, processes: 1, accessible: 1,
  started: 0, changed: 0, stopped: 0, reducedVisibility: null,
  events: { ...NO_EVENTS, tier: 'kernel' },
}; // prettier-ignore
const ok = (rows: number, durationMs = 1): RuleOutcome => ({
  outcome: 'ok',
  scanId: 3,
  rows: Array.from({ length: rows }, (_, pid) => ({ pid, start_time: 1 })),
  processes: [],
  truncated: false,
  eventSeq: 7,
  durationMs,
});
const overrun: RuleOutcome = { outcome: 'timeout', message: 'longer than it may', durationMs: 1000 };
const DEADLINE_MS = 30_000;

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-lanes-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Rules by their ids; `answer` says what the executor answers to one of them in a lane. */
async function agent(schedules: Readonly<Record<string, string>>, answer: (id: string, request: RunRequest) => Promise<RuleOutcome>) {
  for (const [id, schedule] of Object.entries(schedules)) {
    const text = `id: ${id}\nname: Rule ${id}\ndescription: d\nseverity: high\ncategory: test\nversion: 1\nschedule: ${schedule}\nquery: |\n  SELECT pid, start_time, '${id}' AS rule FROM process_events\n`;
    writeFileSync(join(directory, `${id}.yaml`), text, { mode: 0o644 });
  }
  const book = createRuleBook({ builtinDirectory: directory, directories: [] });
  await book.validate({
    validate: async () => ({ ok: true, columns: ['pid', 'start_time'], tables: ['process_events'], scope: 'new_events' as const }),
  });
  const audit: AuditEvent[] = [];
  const asked: string[] = [];
  const ended = Promise.withResolvers<void>();
  const options: PipelineOptions = {
    book,
    executor: {
      run: async (request) => {
        const id = /'(\w+)' AS rule/.exec(request.sql)?.[1];
        if (id === undefined) return { ...ok(1), rows: [{ oldest: 1, newest: 9 }] };
        asked.push(`${id} ${request.lane ?? 'quick'} ${request.deadlineMs}`);
        return answer(id, request);
      },
    },
    store: {
      recordFindings: (found) => ({ alerts: [], suppressed: found.length }),
      queueAudit: (event) => audit.push(event),
      concludeCycle: (event) => audit.push(event),
    },
    deliverer: { drain: async () => undefined },
    apart: createRulesApart(() => ended.resolve()),
    tally: createTally(),
    deadlineMs: DEADLINE_MS,
    context: { hostName: 'h', hostId: 'i', bootId: 'b', windowMs: 1, sinks: [] },
    log: silentLogger(),
    clock: () => 5000,
  };
  return { options, book, audit, asked, ended: ended.promise };
}

describe('a rule that takes long', () => {
  it('is tried beside the cycles, where it has its whole deadline, and counts in the one after its end', async () => {
    const answers = Promise.withResolvers<RuleOutcome>();
    const { options, asked, ended } = await agent({ a: 'scan', b: 'scan' }, async (id, { lane }) =>
      id === 'b' ? ok(0) : lane === 'patient' ? answers.promise : overrun,
    );
    expect(await runCycle(options, SCAN)).toMatchObject({ rules: 1, noMatch: 1, apart: 1, failed: 0 });
    expect(await runCycle(options, SCAN)).toMatchObject({ rules: 1, apart: 1 });
    // Not again while it runs, and no more in the quick lane.
    expect(asked).toEqual(['a quick 1000', 'a patient 30000', 'b quick 1000', 'b quick 1000']);
    answers.resolve(ok(2, 5_000));
    await ended;
    expect(await runCycle(options, SCAN)).toMatchObject({ rules: 2, matched: 1, apart: 1, suppressed: 2 });
  });

  it('counts for nothing where another set of rules took over meanwhile', async () => {
    const { options, book, ended } = await agent({ a: 'scan' }, async (_, { lane }) => (lane === 'patient' ? ok(2) : overrun));
    const [old] = book.entries;
    await runCycle(options, SCAN);
    await ended;
    book.replace({ entries: [{ ...(old ?? never()) }], problems: [], overrides: [] });
    expect(await runCycle(options, SCAN)).toMatchObject({ rules: 0, apart: 1, suppressed: 0 });
    expect([old?.runs, book.entries[0]?.seen]).toEqual([0, null]);
  });

  it('comes back among the others once it is quick', async () => {
    let isSlow = true;
    const { options, asked, ended } = await agent({ a: 'scan' }, async (_, { lane }) => (isSlow && lane !== 'patient' ? overrun : ok(0)));
    await runCycle(options, SCAN);
    await ended;
    isSlow = false;
    concludeApart(options);
    await runCycle(options, SCAN);
    expect(asked).toEqual(['a quick 1000', 'a patient 30000', 'a quick 1000']);
  });

  it('is set aside where it overruns its whole deadline too, again and again', async () => {
    const { options, book, audit } = await agent({ a: 'scan' }, async () => overrun);
    for (let scan = 0; scan < 5; scan++) {
      await runCycle(options, SCAN);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(book.entries[0]).toMatchObject({ state: 'quarantined', refusal: { code: 'timeout' } });
    expect(audit.flatMap(({ action, data }) => (action === 'rule_rejected' ? [data['what']] : []))).toEqual(['stopped', 'quarantined']);
  });
});

function never(): never {
  throw new Error('there is no rule');
}

describe('rules that wait for events', () => {
  it('are run over them between scans, without an entry for the ledger each time', async () => {
    const { options, asked, audit, book } = await agent({ a: 'events', b: 'scan' }, async (id) => ok(id === 'a' ? 1 : 0));
    await runCycle(options, SCAN);
    await runOverEvents(options, SCAN);
    await runOverEvents(options, SCAN);
    expect(asked.map((text) => text[0]).join('')).toBe('abaa');
    expect(book.entries.find(({ rule }) => rule.id === 'a')?.seen).toMatchObject({ seq: 7 });
    expect(audit).toHaveLength(1);
    expect(await runCycle(options, SCAN)).toMatchObject({ rules: 2, matched: 1, noMatch: 1, eventPasses: 2, suppressed: 3 });
    expect(audit.at(-1)?.data).toMatchObject({ event_passes: 2 });
  });

  it('see with the next scan what they could not be run over', async () => {
    let isBroken = true;
    const { options, book } = await agent({ a: 'events' }, async () =>
      isBroken ? { outcome: 'failed', message: 'no store', durationMs: 1 } : ok(1),
    );
    await runOverEvents(options, SCAN);
    expect(book.entries[0]).toMatchObject({ seen: null, state: 'active', runs: 0 });
    isBroken = false;
    expect(await runCycle(options, SCAN)).toMatchObject({ matched: 1, suppressed: 1 });
  });
});
