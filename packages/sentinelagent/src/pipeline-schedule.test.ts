import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_EVENTS } from '@sentineld/model/process-event';
import type { RuleOutcome } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import { silentLogger } from '@sentineld/runtime/log/logger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCycle, type PipelineOptions } from './pipeline.ts';
import { createTally } from './cycle-tally.ts';
import { createRuleBook } from './rule-book.ts';
import { createRulesApart } from './rules-apart.ts';

const SCAN: ScanCompleted = {
  event: 'scan.completed', scanId: 3, correlationId: 'scan-3', timestampMs: 1000, durationMs: 1, processes: 1, accessible: 1,
  started: 0, changed: 0, stopped: 0, reducedVisibility: null,
  events: NO_EVENTS,
}; // prettier-ignore

const rule = (id: string): string =>
  `id: ${id}\nname: Rule ${id}\ndescription: d\nseverity: high\ncategory: test\nversion: 1\nquery: |\n  SELECT pid, start_time, '${id}' AS rule FROM processes\n`;
const idIn = (sql: string): string => /'(\w+)' AS rule/.exec(sql)?.[1] ?? '';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-schedule-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const nothing: RuleOutcome = { outcome: 'ok', scanId: 3, rows: [], processes: [], truncated: false, eventSeq: null, durationMs: 1 };
const overrun: RuleOutcome = { outcome: 'timeout', message: 'longer than 100 ms', durationMs: 100 };

describe('rules with a schedule', () => {
  /** Three cycles a second apart; `behind` is how many events wait for the rule. */
  async function scheduled(schedule: string, behind: number, outcome: RuleOutcome = nothing) {
    for (const id of ['a', 'b'])
      writeFileSync(join(directory, `${id}.yaml`), rule(id) + (id === 'a' ? `schedule: ${schedule}\n` : ''), { mode: 0o644 });
    const book = createRuleBook({ builtinDirectory: directory, directories: [] });
    await book.validate({
      validate: async () => ({ ok: true, columns: ['pid', 'start_time'], tables: ['process_events'], scope: 'everything' as const }),
    });
    const ran: string[] = [];
    const parameters: unknown[] = [];
    let nowMs = 0;
    const options: PipelineOptions = {
      book,
      executor: {
        run: async (request) => {
          if (idIn(request.sql) === '') return { ...nothing, rows: [{ oldest: 1, newest: 5 + behind }] };
          ran.push(idIn(request.sql));
          if (idIn(request.sql) === 'a') parameters.push(request.parameters);
          return idIn(request.sql) === 'a' ? outcome : nothing;
        },
      },
      store: { recordFindings: () => ({ alerts: [], suppressed: 0 }), queueAudit: () => undefined, concludeCycle: () => undefined },
      deliverer: { drain: async () => undefined },
      apart: createRulesApart(() => undefined),
      tally: createTally(),
      deadlineMs: 100,
      context: { hostName: 'h', hostId: 'i', bootId: 'b', windowMs: 1, sinks: [] },
      log: silentLogger(),
      clock: () => 5000,
      nowMs: () => nowMs,
    };
    const cycles = [];
    for (let at = 0; at < 3; at++) {
      cycles.push(await runCycle(options, { ...SCAN, scanId: SCAN.scanId + at, timestampMs: 1000 + nowMs }));
      nowMs += 1000;
    }
    return { ran: ran.join(''), cycles: cycles.map(({ rules, notDue }) => [rules, notDue]), parameters, book };
  }
  const until5: RuleOutcome = { ...nothing, eventSeq: 5 };

  it('are run when they are due, and go on where they were', async () => {
    const { ran, cycles, parameters } = await scheduled('every 2s', 0, until5);
    expect(ran.replaceAll('b', '')).toBe('aa');
    expect(cycles).toEqual([
      [2, 0],
      [1, 1],
      [2, 0],
    ]);
    expect(parameters).toMatchObject([{ since: 0 }, { since_seq: 5, since: 1000, scan_id: 5 }]);
  });

  it('over events are run before their time where they would lose some', async () => {
    expect((await scheduled('every 1h', 50_000, until5)).cycles.map(([, notDue]) => notDue)).toEqual([0, 1, 1]);
    expect((await scheduled('every 1h', 50_001, until5)).cycles.map(([, notDue]) => notDue)).toEqual([0, 0, 0]);
  });

  it('are tried again with the next scan where it was not their fault', async () => {
    const failed: RuleOutcome = { outcome: 'failed', message: 'No executor can be started', durationMs: 0 };
    expect((await scheduled('every 1h', 0, failed)).cycles.map(([, notDue]) => notDue)).toEqual([0, 0, 0]);
    expect((await scheduled('every 1h', 0, overrun)).cycles.map(([, notDue]) => notDue)).toEqual([0, 1, 1]);
  });
});
