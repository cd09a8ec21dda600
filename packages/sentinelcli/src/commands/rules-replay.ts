/**
 * `sentinelcli rules replay`: which recorded execs rules would have hit, tried in the confined executor over a scratch
 * database.
 */
import { statSync } from 'node:fs';
import { SentinelError } from '@sentineld/model/error';
import { formatLoadProblem, type LoadProblem } from '@sentineld/detection/rules/load-problem';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import { readRecording } from '@sentineld/detection/replay/read-recording';
import type { RecordedEvent } from '@sentineld/detection/replay/recorded-event';
import { recordingTables } from '@sentineld/detection/replay/recording-rows';
import { hitsInOrder, replayRules, type ReplayOptions, type RuleReplay } from '@sentineld/detection/replay/replay';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch } from '@sentineld/store/scratch';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag, text, texts } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { problemText } from '../output/problem-text.ts';
import { startProgress } from '../output/progress.ts';
import { renderTable } from '../output/table.ts';
import { roughDuration } from '../output/times.ts';
import { namedRules } from '../rule-files.ts';
import { closeOnSignal } from '../rules-interruption.ts';
import { startTimedProgress } from '../rules-progress.ts';
import { startSandbox } from '../sandbox.ts';
import { keepSignals, type KeptSignals } from '../signals.ts';

const DEADLINE_MS = 30_000;
const EVENTS_SHOWN = 3;

type Replayed = {
  readonly replays: readonly RuleReplay[];
  readonly events: readonly RecordedEvent[];
  /** Of the files that are no rules. */
  readonly problems: readonly LoadProblem[];
  readonly rules: number;
  readonly ms: number;
  /** The exit status of a program that a signal ended; null where none came. */
  readonly endedBy: number | null;
};

export const rulesReplay: Command = defineCommand({
  name: 'rules replay',
  summary: 'Try rules on recorded events: which of them they hit',
  description:
    'Reads recorded execs, one JSON object a line (docs/rules.md has the keys), and runs every rule once over all of them. Without --rules: the built-in rules. The exit status is 1 where a file has faults, a rule is refused or cannot be run to its end, or there is no rule; hits do not change it.',
  positionals: [{ name: 'PATH', summary: 'further rule files or directories, behind those of --rules', required: false, repeated: true }],
  options: {
    rules: texts('PATH', 'Rule files, or directories of them; may be given again'),
    events: text('FILE', 'The recorded events; has to be given'),
    json: flag('One line of JSON per hit; docs/cli.md has its form'),
  },
  examples: [
    { line: 'sentinelcli rules replay --rules ./my-rules --events events.jsonl', what: 'rules of your own over a recording' },
    { line: 'sentinelcli rules replay --events events.jsonl --json | jq -r .rule_id | sort | uniq -c', what: 'hits of each built-in rule' },
  ],
  run: async (context, further, { rules: named, events: path, json }) => {
    if (path === null) throw needsEvents();
    const { rules, problems } = namedRules([...named, ...further]);
    const startedMs = performance.now();
    const events = await readEvents(context, path);
    const { replays, endedBy } = rules.length === 0 ? { replays: [], endedBy: null } : await replayAll(context, rules, events);
    const replayed = { replays, events, problems, rules: rules.length, ms: performance.now() - startedMs, endedBy };
    if (json) printJson(context, replayed);
    else print(context, replayed);
    if (endedBy !== null) return endedBy;
    return rules.length === 0 || problems.length > 0 || replays.some((one) => one.problems.length > 0) ? 1 : 0;
  },
});

function needsEvents(): SentinelError {
  return new SentinelError('usage.invalid', {
    message: 'rules replay needs --events',
    why: 'it tries rules on recorded events',
    hint: 'write --events=FILE; sentinelcli rules backtest tries them on what is stored',
  });
}

async function readEvents({ terminal }: CommandContext, path: string): Promise<readonly RecordedEvent[]> {
  const progress = startProgress(terminal, 'reading', statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  try {
    return await readRecording(path, { step: progress.step });
  } finally {
    progress.end();
  }
}

type RunReplay = Pick<Replayed, 'replays' | 'endedBy'>;

/** The scratch database is removed also where a signal comes while it is made. */
async function replayAll(context: CommandContext, rules: readonly LoadedRule[], events: readonly RecordedEvent[]): Promise<RunReplay> {
  const signals = keepSignals();
  try {
    const { rows, parameters } = recordingTables(events, EVENTS_SCHEMA);
    const scratch = createScratch({ schema: EVENTS_SCHEMA, rows });
    try {
      return await replayOver(context, scratch.path, signals, { rules, events, parameters });
    } finally {
      scratch.close();
    }
  } finally {
    signals.release();
  }
}

async function replayOver(
  { terminal }: CommandContext,
  path: string,
  signals: KeptSignals,
  work: Pick<ReplayOptions, 'rules' | 'events' | 'parameters'>,
): Promise<RunReplay> {
  const executor = startSandbox({ databases: [{ schema: 'main', path }], schema: EVENTS_SCHEMA, deadlineMs: DEADLINE_MS });
  const endWatch = closeOnSignal(signals, executor);
  const progress = startTimedProgress(terminal, 'replaying', work.rules.length);
  const replays: RuleReplay[] = [];
  const onReplay = (replay: RuleReplay): boolean => {
    // What a signal ended was not run: that is no fault of the rule.
    if (signals.exitStatus() !== null) return false;
    progress.step(replays.push(replay));
    return true;
  };
  try {
    await replayRules({ ...work, executor, onReplay });
    return { replays, endedBy: signals.exitStatus() };
  } catch (cause) {
    const endedBy = signals.exitStatus();
    if (endedBy === null) throw cause;
    return { replays, endedBy };
  } finally {
    progress.end();
    endWatch();
    await executor.close();
  }
}

/** Standard output has hits and nothing else, so that it can be compared line by line. */
function printJson({ terminal }: CommandContext, replayed: Replayed): void {
  for (const problem of problemsOf(replayed)) terminal.err(`${formatLoadProblem(problem).trimEnd()}\n`);
  if (replayed.rules === 0) terminal.err('no rules found: their files are called ID.yaml\n');
  if (replayed.endedBy !== null) terminal.err(`${endedText(replayed)}\n`);
  for (const { eventId, ruleId } of hitsInOrder(replayed.replays, replayed.events))
    terminal.out(`${jsonText({ event_id: eventId, rule_id: ruleId })}\n`);
}

function print({ terminal }: CommandContext, replayed: Replayed): void {
  const { replays, events, rules, ms, endedBy } = replayed;
  const { styles, width, out } = terminal;
  for (const problem of problemsOf(replayed)) out(problemText(problem, terminal));
  const hit = replays.filter(({ hits }) => hits.length > 0);
  if (hit.length > 0) {
    const rows = hit.map(({ rule, hits }) => [rule.id, rule.severity, hits.length, eventsText(hits, events)]);
    out(renderTable(['rule', 'severity', 'events', 'the first of them'], rows, { width, styles, whole: ['rule', 'severity'] }).text);
  }
  if (endedBy !== null) out(`${styles.yellow(endedText(replayed))}\n`);
  if (rules === 0) return out(`${styles.red('no rules found: their files are called ID.yaml')}\n`);
  const count = hit.reduce((sum, { hits }) => sum + hits.length, 0);
  const touched = new Set(hit.flatMap(({ hits }) => hits)).size;
  const faults = problemsOf(replayed).length;
  const parts = [
    `${counted(events.length, 'event')}, ${counted(rules, 'rule')}`,
    `${hit.length} with hits`,
    `${counted(count, 'hit')} on ${counted(touched, 'event')}`,
    ...(faults === 0 ? [] : [counted(faults, 'fault')]),
    roughDuration(ms),
  ];
  return out(`${(faults === 0 ? styles.green : styles.red)(parts.join(', '))}\n`);
}

function problemsOf({ problems, replays }: Replayed): readonly LoadProblem[] {
  return [...problems, ...replays.flatMap((one) => one.problems)];
}

function endedText({ replays, rules }: Replayed): string {
  return `ended by a signal: ${replays.length} of ${rules} rules were run`;
}

function eventsText(hits: readonly number[], events: readonly RecordedEvent[]): string {
  const shown = hits.slice(0, EVENTS_SHOWN).map((at) => events[at]?.eventId ?? '');
  return [...shown, ...(hits.length > shown.length ? ['…'] : [])].join(', ');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
