/**
 * Health as a page for people. Bodies of the daemons are read field by field: they may be of another release, and a
 * field that is not there is left out, not guessed.
 */
import { SEVERITIES } from '@sentineld/model/rule';
import type { Health, HealthState, ComponentHealth } from '../health-report.ts';
import type { Unreached } from '../daemons.ts';
import { displayHostText } from '@sentineld/model/host-text';
import { isRecord, numberField, recordField, textField } from '../fields.ts';
import { padCells } from './cells.ts';
import { collectionTopics } from './collection-text.ts';
import { ledgerHealthTexts } from './ledger-health-text.ts';
import type { Style, Styles } from './styles.ts';
import type { Terminal } from './terminal.ts';
import { roughDuration, roughSize } from './times.ts';
import { indentText } from './wrap.ts';

const LABEL_WIDTH = 15;
const STATE_WIDTH = 11;

const WORDS: Readonly<Record<HealthState, string>> = {
  ok: 'ok',
  degraded: 'degraded',
  failing: 'FAILING',
  not_running: 'NOT RUNNING',
  unknown: 'UNKNOWN',
};
const SENTENCES: Readonly<Record<Health['state'], string>> = {
  ok: 'everything works',
  degraded: 'it works, with something missing',
  failing: 'it does not do all of its work',
};

/** What is shown of a daemon that said nothing, and what to do; what it failed with speaks for itself. */
const UNREACHED_LINES: Readonly<Record<Unreached, readonly string[] | null>> = {
  absent: ['nobody listens on its socket', '-> start it: npx -y pnpm@12.21.0 start'],
  denied: ['this user may not ask it', '-> ask as root, or as one of its operators'],
  failed: null,
};

export function healthText(health: Health, { styles, width }: Pick<Terminal, 'styles' | 'width'>, now: number): string {
  const overall = stateStyle(styles, health.state)(WORDS[health.state]);
  const isUnknown = health.components.every(({ state }) => state === 'unknown');
  const sentence = isUnknown ? 'whether it works cannot be told' : SENTENCES[health.state];
  const line = (label: string, text: string): string => indentText(text, width, ' '.repeat(LABEL_WIDTH), padCells(label, LABEL_WIDTH));
  const components = health.components.map((component) => componentText(component, styles, width, now));
  const databases = health.databases.map((file, at) =>
    line(at === 0 ? 'databases' : '', `${file.name.padEnd(10)}  ${fileText(file.state, file.bytes)}`),
  );
  const procmond = health.components.find(({ component }) => component === 'procmond');
  const topics = collectionTopics(procmond?.details ?? {}, now);
  const collection = topics.flatMap(({ label, texts }) => texts.map((text, at) => line(at === 0 ? label : '', text)));
  const ledger = ledgerHealthTexts(health.ledgerHead, procmond?.details ?? {}, now);
  return [
    `${styles.bold('SentinelD')}: ${overall} (${sentence})\n\n`,
    ...components,
    '\n',
    ...collection,
    ...(collection.length > 0 ? ['\n'] : []),
    ...databases,
    ...ledger.map((text, at) => line(at === 0 ? 'ledger' : '', text)),
    line('alerts, 24 h', alertsText(health)),
    // Not wrapped: a path that is broken in two cannot be copied.
    `${padCells('state in', LABEL_WIDTH)}${displayHostText(health.stateDir)}\n`,
  ].join('');
}

function componentText(
  { component, state, unreached, problems, details }: ComponentHealth,
  styles: Styles,
  width: number,
  now: number,
): string {
  const first = `${padCells(component, LABEL_WIDTH)}${stateStyle(styles, state)(padCells(WORDS[state], STATE_WIDTH))}  `;
  const indent = ' '.repeat(LABEL_WIDTH + STATE_WIDTH + 2);
  const facts = unreached === null ? [factsOf(details ?? {}, now)] : (UNREACHED_LINES[unreached] ?? problems);
  const head = indentText(facts, width, indent, first);
  const listed = unreached === null ? problems : [];
  return head + listed.map((problem) => indentText(problem, width, ' '.repeat(LABEL_WIDTH + 2), `${' '.repeat(LABEL_WIDTH)}- `)).join('');
}

function factsOf(details: Readonly<Record<string, unknown>>, now: number): string {
  const startedMs = numberField(details, 'startedMs');
  const facts = [
    `pid ${numberField(details, 'pid') ?? 'unknown'}`,
    ...(startedMs === null ? [] : [`up ${roughDuration(now - startedMs)}`]),
    ...(textField(details, 'component') === 'procmond' ? scanFacts(details, now) : ruleFacts(details, now)),
  ];
  return facts.join(', ');
}

function scanFacts(details: Readonly<Record<string, unknown>>, now: number): string[] {
  const intervalMs = numberField(details, 'intervalMs');
  const scan = details['lastScan'];
  const interval = intervalMs === null ? [] : [`a scan every ${intervalMs / 1000} s`];
  if (!isRecord(scan)) return [...interval, 'no scan yet'];
  const timestampMs = numberField(scan, 'timestampMs');
  return [
    ...interval,
    `the newest ${timestampMs === null ? '' : `${roughDuration(now - timestampMs)} ago `}with ${numberField(scan, 'processes') ?? 0} processes`,
  ];
}

function ruleFacts(details: Readonly<Record<string, unknown>>, now: number): string[] {
  const active = numberField(recordField(details, 'rules'), 'active');
  const cycle = details['lastCycle'];
  const rules = active === null ? [] : [`${active} rules active`];
  if (!isRecord(cycle)) return [...rules, 'no detection cycle yet'];
  const timestampMs = numberField(cycle, 'timestampMs');
  const durationMs = numberField(cycle, 'durationMs');
  return [
    ...rules,
    `newest cycle ${timestampMs === null ? '' : `${roughDuration(now - timestampMs)} ago`}${durationMs === null ? '' : ` in ${durationMs} ms`}`,
  ];
}

function fileText(state: string, bytes: number | null): string {
  if (state === 'missing') return 'not there yet';
  if (state === 'denied') return 'not readable for this user';
  return bytes === null ? 'size unknown' : roughSize(bytes);
}

function alertsText({ alerts, alertsProblem }: Health): string {
  if (alerts === null) return `unknown: ${alertsProblem ?? ''}`;
  const parts = SEVERITIES.toReversed().flatMap((severity) => (alerts[severity] > 0 ? [`${alerts[severity]} ${severity}`] : []));
  return parts.length === 0 ? 'none' : `${parts.join(', ')} (sentinelcli alerts list --since 24h)`;
}

function stateStyle(styles: Styles, state: HealthState): Style {
  return state === 'ok' ? styles.green : state === 'degraded' ? styles.yellow : styles.red;
}
