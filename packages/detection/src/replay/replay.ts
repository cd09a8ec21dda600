/**
 * Runs rules over a recording, each once over all of it, and says which events they hit. A row of a result is traced
 * back to its event; a row that names none is counted, not guessed at.
 */
import type { ResultRow, RuleOutcome } from '@sentineld/model/rule';
import type { LoadProblem } from '../rules/load-problem.ts';
import { placeInFile, sqlFileOf, type LoadedRule } from '../rules/rule-document.ts';
import type { ExecutorClient } from '../sql/executor-client.ts';
import { judgeRule, refusalProblem } from '../rules/judge-rule.ts';
import type { RecordedEvent } from './recorded-event.ts';
import { FIRST_OWN_PID } from './recording-rows.ts';

export type RuleReplay = {
  readonly rule: LoadedRule;
  /** Places of the events that it hit, ascending, from 0. */
  readonly hits: readonly number[];
  /** What kept it from being run, or from telling all that it found. */
  readonly problems: readonly LoadProblem[];
  readonly durationMs: number;
};

export type ReplayOptions = {
  readonly rules: readonly LoadedRule[];
  readonly events: readonly RecordedEvent[];
  readonly parameters: Readonly<Record<string, number>>;
  readonly executor: Pick<ExecutorClient, 'validate' | 'run'>;
  /** Told of every rule that is done; false ends the replay after it. */
  readonly onReplay: (replay: RuleReplay) => boolean;
};

/** Rows of one rule over one event at most, on average: a join with children has more than one. */
const ROWS_PER_EVENT = 4;
const LEAST_ROWS = 1_000;
/** Events with one pid that are told apart by more than the pid; a recording without pids has all of them with one. */
const MOST_OF_ONE_PID = 100;

/** In the order of the rules. Rejects with 'store.*' or 'executor.failed' where a rule cannot be judged. */
export async function replayRules({ rules, events, parameters, executor, onReplay }: ReplayOptions): Promise<void> {
  const trace = createTracer(events);
  const maxRows = Math.max(LEAST_ROWS, ROWS_PER_EVENT * events.length);
  for (const rule of rules) {
    const { refusal } = await judgeRule(rule, executor);
    const replay =
      refusal === null
        ? replayOf(rule, await executor.run({ sql: rule.sql, parameters, maxRows }), trace)
        : { rule, hits: [], problems: [refusalProblem(rule, refusal)], durationMs: 0 };
    if (!onReplay(replay)) return;
  }
}

/** Each event with a rule that hit it, in the order of the events and then of the rules, every pair once. */
export function hitsInOrder(
  replays: readonly RuleReplay[],
  events: readonly RecordedEvent[],
): readonly { readonly eventId: string; readonly ruleId: string }[] {
  const rulesByEvent: (Set<string> | undefined)[] = [];
  for (const { rule, hits } of replays) for (const at of hits) (rulesByEvent[at] ??= new Set()).add(rule.id);
  return events.flatMap(({ eventId }, at) => [...(rulesByEvent[at] ?? [])].map((ruleId) => ({ eventId, ruleId })));
}

function replayOf(rule: LoadedRule, outcome: RuleOutcome, trace: Tracer): RuleReplay {
  const { durationMs } = outcome;
  const problem = (message: string, hint: string): LoadProblem => ({
    file: sqlFileOf(rule),
    ...placeInFile(rule, null),
    ruleId: rule.id,
    message,
    hint,
  });
  if (outcome.outcome === 'refused') return { rule, hits: [], problems: [refusalProblem(rule, outcome.refusal)], durationMs };
  if (outcome.outcome !== 'ok')
    return { rule, hits: [], problems: [problem(`not run (${outcome.outcome}): ${outcome.message}`, '')], durationMs };
  const traced = outcome.rows.map(trace);
  const hits = [...new Set(traced.flatMap((at) => at ?? []))].toSorted((a, b) => a - b);
  const untraced = traced.filter((at) => at === null).length;
  const problems = [
    ...(untraced === 0
      ? []
      : [problem(`${untraced} of its ${outcome.rows.length} rows name no event`, 'Select seq of an event, or pid of a process.')]),
    ...(outcome.truncated
      ? [
          problem(
            `More rows matched than the ${outcome.rows.length} that were kept`,
            'Replay a shorter recording, or select fewer columns.',
          ),
        ]
      : []),
  ];
  return { rule, hits, problems, durationMs };
}

/** The place of the event that a row is about; null where that cannot be told. */
type Tracer = (row: ResultRow) => number | null;

function createTracer(events: readonly RecordedEvent[]): Tracer {
  const byPid = new Map<number, number[]>();
  events.forEach(({ pid }, at) => {
    const places = byPid.get(pid ?? 0);
    if (places === undefined) byPid.set(pid ?? 0, [at]);
    else places.push(at);
  });
  const placeOf = (number: number): number | null =>
    Number.isInteger(number) && number >= 1 && number <= events.length ? number - 1 : null;
  return (row) => {
    const { seq, pid } = row;
    if (typeof seq === 'number') return placeOf(seq);
    if (typeof pid !== 'number') return null;
    if (pid > FIRST_OWN_PID) return placeOf(pid - FIRST_OWN_PID);
    const candidates = byPid.get(pid) ?? [];
    if (candidates.length > MOST_OF_ONE_PID) return null;
    const [place, another] = candidates.filter((at) => agrees(row, events[at]));
    return place === undefined || another !== undefined ? null : place;
  };
}

/** Whether what the row tells of its program beside the pid is what the event has. */
function agrees(row: ResultRow, event: RecordedEvent | undefined): boolean {
  const { name, exePath, cmdline } = event ?? {};
  return Object.entries({ name, exe_path: exePath, cmdline }).every(
    ([column, value]) => !Object.hasOwn(row, column) || row[column] === value,
  );
}
