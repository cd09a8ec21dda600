/**
 * A backtest for people: what each rule would have found, whether that is too much, and what could not be judged.
 */
import { NOISE_BUDGET, type Noise, type NoiseVerdict } from '@sentineld/detection/replay/noise';
import type { UnsureReason } from '@sentineld/detection/replay/past-scans';
import type { PastAlert, RuleHistory } from '@sentineld/detection/replay/rule-history';
import { costOf, isFaulty, leastSure, noiseOf } from './backtest-figures.ts';
import type { Backtested } from './backtest-json.ts';
import { jsonText } from './output/json.ts';
import { problemText } from './output/problem-text.ts';
import { renderTable } from './output/table.ts';
import type { Terminal } from './output/terminal.ts';
import { clockTime, roughDuration } from './output/times.ts';
import { indentText } from './output/wrap.ts';

const NO_RULES = 'no rules found: their files are called ID.yaml';
const ALERTS_SHOWN = 5;
/** Of a row. */
const MAX_CHARACTERS = 500;
const DAY_MS = 86_400_000;

const VERDICT_TEXTS: Readonly<Record<NoiseVerdict, string>> = {
  within: 'within the budget',
  within_so_far: 'within the budget so far, in less than a host-day',
  above: 'ABOVE the budget',
  not_measured: 'noise was not measured: no time lay between the scans',
};

const REASON_TEXTS: Readonly<Record<UnsureReason, string>> = {
  lost: 'events were lost',
  dropped: 'events were dropped',
  overrun: "the kernel's buffer ran over",
  away: 'procmond was away',
  no_source: 'there was no event source',
  deleted: 'events are deleted by now',
  passed_over: 'events were passed over',
  cut: 'more rows matched than are kept',
};

type Page = Pick<Terminal, 'styles' | 'width'>;

export function backtestText(tested: Backtested, page: Page): string {
  const { backtest, problems, endedBy, scans } = tested;
  const { histories } = backtest;
  const isEmpty = histories.length === 0 && endedBy === null;
  if (isEmpty) return [...problems.map((problem) => problemText(problem, page)), `${page.styles.red(NO_RULES)}\n`].join('');
  const refused = histories.flatMap(({ problem }) => problem ?? []);
  const ended = `ended by a signal: ${backtest.scans.length} of ${scans} scans were judged`;
  return [
    ...[...problems, ...refused].map((problem) => problemText(problem, page)),
    `${spanText(tested)}\n`,
    rulesText(histories, page),
    ...histories.map((history) => alertsText(history, page)),
    costText(tested),
    ...histories.filter(isFaulty).map((history) => failureText(history, page)),
    unsureText(tested, page),
    noiseText(noiseOf(backtest), page),
    ...(endedBy === null ? [] : [`${page.styles.yellow(ended)}\n`]),
  ].join('');
}

function spanText({ backtest: { scans } }: Backtested): string {
  const [first, last] = [scans[0], scans.at(-1)];
  if (first === undefined || last === undefined) return 'no scan was judged';
  if (first === last) return `scan ${first.id} of ${clockTime(first.startMs)}`;
  return `${scans.length} scans, ${first.id} of ${clockTime(first.startMs)} to ${last.id} of ${clockTime(last.startMs)}`;
}

function rulesText(histories: readonly RuleHistory[], { width, styles }: Page): string {
  const found = histories.filter(({ findings }) => findings > 0);
  if (found.length === 0) return 'nothing was found\n';
  const rows = found.map(({ rule, findings, alerts, entities }) => [rule.id, rule.severity, findings, alerts, entities.size]);
  return renderTable(['rule', 'severity', 'findings', 'alerts', 'entities'], rows, { width, styles, whole: ['rule', 'severity'] }).text;
}

function alertsText({ rule, firstMs, lastMs, alerts, firstAlerts }: RuleHistory, { width, styles }: Page): string {
  if (firstMs === null || lastMs === null) return '';
  const shown = firstAlerts.slice(0, ALERTS_SHOWN);
  const more = alerts - shown.length;
  return [
    `\n${styles.bold(rule.id)}: first ${clockTime(firstMs)}, last ${clockTime(lastMs)}\n`,
    ...shown.map((alert) => indentText(alertText(alert), width, '    ', '  - ')),
    ...(more > 0 ? [`  … ${more} more ${more === 1 ? 'alert' : 'alerts'}\n`] : []),
  ].join('');
}

function alertText({ atMs, scanId, row, rows }: PastAlert): string {
  const values = Object.entries(row).flatMap(([name, value]) => (value === null ? [] : [`${name}=${jsonText(value)}`]));
  const text = values.join(', ');
  const cut = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  return `${clockTime(atMs)}, scan ${scanId}: ${cut}${rows > 1 ? ` and ${rows - 1} more ${rows === 2 ? 'row' : 'rows'}` : ''}`;
}

function costText({ backtest: { costsMs, histories } }: Backtested): string {
  const cost = costOf(costsMs);
  const what = histories.length === 1 ? 'the rule' : `all ${histories.length} rules`;
  return cost === null ? '' : `\ncost of a scan, ${what}: median ${cost.median} ms, worst ${cost.worst} ms\n`;
}

function failureText({ rule, failed, failure, stoppedAt }: RuleHistory, { width, styles }: Page): string {
  if (failure === null) return '';
  const aside = stoppedAt === null ? '' : `; the agent would have set it aside at scan ${stoppedAt.id}`;
  return styles.red(
    indentText(`${rule.id} could not be run over ${failed} ${failed === 1 ? 'scan' : 'scans'}: ${failure}${aside}`, width, '  ', ''),
  );
}

function unsureText({ backtest }: Backtested, { width, styles }: Page): string {
  const least = leastSure(backtest);
  if (least === null) return '';
  const reasons = [...least.reasons].map(([reason, scans]) => `${REASON_TEXTS[reason]} in ${scans}`);
  const text = `${least.rule.id} could not judge ${least.unsure} of ${backtest.scans.length} scans: ${reasons.join(', ')}. What it found there counts; that it found no more says nothing.`;
  return styles.yellow(indentText(text, width, '  ', ''));
}

function noiseText({ verdict, alerts, high, hostDays }: Noise, { width, styles }: Page): string {
  const style = verdict === 'above' ? styles.red : verdict === 'not_measured' ? styles.yellow : styles.green;
  const found = `${alerts} ${alerts === 1 ? 'alert' : 'alerts'}, ${high} of them high or critical, in ${roughDuration(hostDays * DAY_MS)} that were watched`;
  const text = `${VERDICT_TEXTS[verdict]}: ${found}; a host-day may have ${NOISE_BUDGET.all}, ${NOISE_BUDGET.high} of them high`;
  return style(indentText(text, width, '  ', ''));
}
