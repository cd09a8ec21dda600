import type { ResultRow, RuleOutcome, Validation } from '@sentineld/model/rule';
import { describe, expect, it } from 'vitest';
import type { LoadedRule } from '../rules/rule-document.ts';
import { parseRule } from '../rules/rule-document.ts';
import type { RecordedEvent } from './recorded-event.ts';
import { FIRST_OWN_PID } from './recording-rows.ts';
import { hitsInOrder, replayRules, type RuleReplay } from './replay.ts';

function ruleOf(id: string): LoadedRule {
  const text = `id: ${id}\nname: n\ndescription: d\nseverity: low\ncategory: c\nversion: 1\ndedup: [pid]\nquery: |\n  SELECT pid FROM processes\n`;
  const parsed = parseRule({ path: `/${id}.yaml`, text, checksum: '' }, 'file');
  if (!parsed.ok) throw new Error('the rule is none');
  return parsed.rule;
}

const event = (eventId: string, pid: number, of: Partial<RecordedEvent> = {}): RecordedEvent => ({
  eventId,
  pid,
  ppid: null,
  name: null,
  exePath: null,
  argv: null,
  cmdline: null,
  parentExe: null,
  parentCmdline: null,
  cwd: null,
  user: null,
  timeMs: null,
  ...of,
});
const EVENTS = [event('a', 5), event('b', 6, { name: 'x' }), event('c', 6, { name: 'y', exePath: '/y' }), event('d', 7)];

const ok = (rows: readonly ResultRow[], truncated = false): RuleOutcome => ({
  outcome: 'ok',
  scanId: 1,
  rows,
  processes: [],
  truncated,
  eventSeq: null,
  durationMs: 1,
});
const ACCEPTED: Validation = { ok: true, columns: ['pid'], tables: [], scope: 'everything' as const };

async function replay(
  outcomes: readonly RuleOutcome[],
  validation: Validation = ACCEPTED,
  most = Infinity,
): Promise<readonly RuleReplay[]> {
  const left = [...outcomes];
  const replays: RuleReplay[] = [];
  await replayRules({
    rules: outcomes.map((_, at) => ruleOf(`rule-${at}`)),
    events: EVENTS,
    parameters: { now: 1 },
    executor: { validate: () => Promise.resolve(validation), run: () => Promise.resolve(left.shift() ?? ok([])) },
    onReplay: (one) => replays.push(one) < most,
  });
  return replays;
}

describe('a replay', () => {
  it('traces rows to events by number, by the pid of a process, and by a pid that is told apart', async () => {
    const rows = [{ seq: 4 }, { pid: FIRST_OWN_PID + 1 }, { pid: 6, name: 'y', exe_path: '/y' }, { pid: 7 }, { seq: 1, pid: 7 }];
    const [one] = await replay([ok(rows)]);
    expect(one).toMatchObject({ hits: [0, 2, 3], problems: [] });
  });

  it('counts rows that name no event, and guesses at none', async () => {
    const rows = [
      { n: 3 },
      { pid: 6 },
      { pid: 99 },
      { seq: 0 },
      { seq: 5 },
      { pid: FIRST_OWN_PID + 5 },
      { seq: 1.5 },
      { pid: 6, name: 'z' },
      { seq: 1 },
    ];
    const [one] = await replay([ok(rows)]);
    expect(one).toMatchObject({ hits: [0], problems: [{ ruleId: 'rule-0', line: 8, message: '8 of its 9 rows name no event' }] });
  });

  it('says what was cut, refused, too slow or not to be run', async () => {
    const replays = await replay([
      ok([{ seq: 1 }], true),
      { outcome: 'timeout', message: 'It took 30 s', durationMs: 1 },
      { outcome: 'refused', refusal: { code: 'parameter', message: 'No value', position: null }, durationMs: 1 },
    ]);
    expect(replays.map(({ hits, problems }) => [hits, problems.map(({ message }) => message)])).toEqual([
      [[0], ['More rows matched than the 1 that were kept']],
      [[], ['not run (timeout): It took 30 s']],
      [[], ['refused (parameter): No value']],
    ]);
  });

  it('does not run what is refused, and says where', async () => {
    const refusal = { code: 'column', message: 'There is no column x.', position: { line: 1, column: 8 } };
    expect(await replay([ok([{ seq: 1 }])], { ok: false, refusal })).toMatchObject([
      { hits: [], problems: [{ file: '/rule-0.yaml', line: 9, column: 10, message: 'refused (column): There is no column x.' }] },
    ]);
    expect(await replay([ok([{ seq: 1 }])], { ok: true, columns: ['seq'], tables: [], scope: 'everything' as const })).toMatchObject([
      {
        hits: [],
        problems: [{ line: 7, message: 'refused (dedup): The dedup key "pid" is not a column of the result. The result has seq.' }],
      },
    ]);
  });

  it('ends where it is told to', async () => {
    expect(await replay([ok([]), ok([]), ok([])], ACCEPTED, 2)).toHaveLength(2);
  });

  it('gives hits in the order of the events, each pair once', async () => {
    const replays = await replay([ok([{ seq: 3 }, { seq: 1 }, { seq: 1 }]), ok([{ seq: 1 }])]);
    expect(hitsInOrder(replays, EVENTS)).toEqual([
      { eventId: 'a', ruleId: 'rule-0' },
      { eventId: 'a', ruleId: 'rule-1' },
      { eventId: 'c', ruleId: 'rule-0' },
    ]);
  });
});
