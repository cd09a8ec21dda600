/**
 * `sentinelcli rules backtest`: what rules would have found over the stored history, had they been live.
 */
import { createHash } from 'node:crypto';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import { backtestRules, type Backtest } from '@sentineld/detection/replay/backtest';
import type { PastScans } from '@sentineld/detection/replay/past-scans';
import { startExecutor, type ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { MOMENT_FORMS } from '../at-time.ts';
import { isFaulty, noiseOf } from '../backtest-figures.ts';
import { backtestJson, type Backtested } from '../backtest-json.ts';
import { readRange, scansOf } from '../backtest-range.ts';
import { backtestText } from '../backtest-text.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { requireEventsDatabase } from '../databases.ts';
import { executorPrograms } from '../installation.ts';
import { flag, text } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { recordAudit, tellUnrecorded } from '../record-audit.ts';
import { namedRules } from '../rule-files.ts';
import { closeOnSignal } from '../rules-interruption.ts';
import { startTimedProgress } from '../rules-progress.ts';
import { keepSignals } from '../signals.ts';

export const rulesBacktest: Command = defineCommand({
  name: 'rules backtest',
  summary: 'Run rules over the stored past, scan by scan, as if they had been live',
  description:
    'Every rule sees the host as it was at each scan and the events since the one before, and what it finds becomes alerts or repeats as the agent decides it. Nothing is alerted. Without PATH: the built-in rules. Ctrl-C ends it and shows what was found so far. The exit status is 1 where the noise is above the budget, a file has faults, a rule is refused or could not be run over a scan, or there is no rule.',
  positionals: [{ name: 'PATH', summary: 'rule files, or directories of them', required: false, repeated: true }],
  options: {
    since: text('TIME', `Scans from this time on: 24h, 7d (the default is 24h), or ${MOMENT_FORMS}`),
    until: text('TIME', 'Scans before this time; of a scan, with it'),
    json: flag('As JSON; docs/cli.md has its form'),
  },
  examples: [
    { line: 'sentinelcli rules backtest ./my-rule.yaml', what: 'what it would have found in the last 24 hours' },
    { line: 'sentinelcli rules backtest ./my-rules --since 7d', what: 'a whole directory, over a week' },
    { line: 'sentinelcli rules backtest --json | jq .noise', what: 'how noisy the built-in rules were on this host' },
  ],
  run: async (context, paths, { since, until, json }) => {
    const range = readRange(context, since, until);
    const { rules, problems } = namedRules(paths);
    const past = scansOf(context, range);
    const startedMs = performance.now();
    const { backtest, endedBy } = await runBacktest(context, rules, past);
    const tested = { range, backtest, scans: past.scans.length, problems, endedBy };
    if (json) context.terminal.out(`${jsonText(backtestJson(tested), 2)}\n`);
    else context.terminal.out(backtestText(tested, context.terminal));
    tellUnrecorded(context, await recordBacktest(context, rules, tested, Math.round(performance.now() - startedMs)));
    if (endedBy !== null) return endedBy;
    const isFine = rules.length > 0 && problems.length === 0 && !backtest.histories.some(isFaulty);
    return isFine && noiseOf(backtest).verdict !== 'above' ? 0 : 1;
  },
});

const NOTHING: Backtest = { histories: [], scans: [], costsMs: [] };

/** With the limits that the agent has, so that what it would stop is stopped here. */
function startLikeAgent(context: CommandContext): ExecutorClient {
  const { deadline, memory, row_limit: maxRows } = context.config().config.detection;
  const { nodeArguments, ...programs } = executorPrograms();
  return startExecutor({
    programs,
    nodeArguments,
    databases: [{ schema: 'main', path: requireEventsDatabase(context.paths()) }],
    schema: EVENTS_SCHEMA,
    limits: { deadlineMs: deadline, memoryBytes: memory, maxRows },
  });
}

async function runBacktest(
  context: CommandContext,
  rules: readonly LoadedRule[],
  past: PastScans,
): Promise<Pick<Backtested, 'backtest' | 'endedBy'>> {
  if (rules.length === 0) return { backtest: NOTHING, endedBy: null };
  const executor = startLikeAgent(context);
  const signals = keepSignals();
  const endWatch = closeOnSignal(signals, executor);
  const progress = startTimedProgress(context.terminal, 'judging', past.scans.length);
  const windowMs = context.config().config.alerting.dedup_window;
  const isEnded = (): boolean => signals.exitStatus() !== null;
  try {
    const backtest = await backtestRules({ rules, past, executor, windowMs, isEnded, onScan: progress.step });
    return { backtest, endedBy: signals.exitStatus() };
  } catch (cause) {
    const endedBy = signals.exitStatus();
    // Ended while rules were judged, before the first scan.
    if (endedBy === null) throw cause;
    return { backtest: NOTHING, endedBy };
  } finally {
    progress.end();
    endWatch();
    signals.release();
    await executor.close();
  }
}

/** Rules read what happened on the host as queries do, so that is recorded like a query. */
async function recordBacktest(
  context: CommandContext,
  rules: readonly LoadedRule[],
  { backtest, endedBy }: Backtested,
  ms: number,
): Promise<string | null> {
  const checksums = rules.map(({ checksum }) => `${checksum}\n`).join('');
  return recordAudit(context, {
    action: 'query_execute',
    data: {
      backtest: rules.length,
      rules_sha256: createHash('sha256').update(checksums).digest('hex'),
      outcome: endedBy === null ? 'ok' : 'interrupted',
      first_scan: backtest.scans[0]?.id ?? null,
      last_scan: backtest.scans.at(-1)?.id ?? null,
      rows: backtest.histories.reduce((sum, { findings }) => sum + findings, 0),
      ms,
    },
  });
}
