/**
 * `sentinelcli alerts list`: the newest alerts, one line each.
 */
import { alertDocument } from '@sentineld/model/alert-document';
import { SentinelError } from '@sentineld/model/error';
import { SEVERITIES } from '@sentineld/model/rule';
import { acknowledgementJson } from '../alert-decisions.ts';
import { listAlerts, withAgentReader, type StoredAlert } from '../alert-store.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { choice, duration, flag, text, wholeNumber } from '../option.ts';
import { jsonArrayText } from '../output/json.ts';
import { severityStyle } from '../output/styles.ts';
import { renderTable } from '../output/table.ts';
import { isoTime, tableTime } from '../output/times.ts';

const YEAR_MS = 366 * 86_400_000;
/** Behind the severity: a column of its own would leave no room for the process. */
const ACKNOWLEDGED = '*';

export const alertsList: Command = defineCommand({
  name: 'alerts list',
  summary: 'List the newest alerts',
  description:
    'Newest first. "seen" counts how often the same was found, repeats included: they are counted, not raised again. A * behind the severity: it is acknowledged.',
  options: {
    severity: choice(SEVERITIES, 'Of this severity alone'),
    'min-severity': choice(SEVERITIES, 'Of this severity or worse'),
    rule: text('ID', 'Of this rule alone'),
    since: duration({ leastMs: 1, mostMs: YEAR_MS }, 'Raised, or seen again, within this time'),
    unacknowledged: flag('Of those alone that nobody acknowledged'),
    limit: wholeNumber({ least: 1, most: 100_000 }, 50, 'Alerts at most'),
    json: flag('A JSON array; the form of each alert is in docs/alerts.md'),
  },
  examples: [
    { line: 'sentinelcli alerts list --since 1h', what: 'what happened in the last hour' },
    { line: 'sentinelcli alerts list --min-severity high --json | jq -r .[].title', what: 'titles of the worst, for another tool' },
    { line: 'sentinelcli alerts list --rule deleted-executable', what: 'one rule' },
    { line: 'sentinelcli alerts list --unacknowledged', what: 'what is left to be looked at' },
  ],
  run: async (context, _words, options) => {
    if (options.severity !== null && options['min-severity'] !== null)
      throw new SentinelError('usage.invalid', {
        message: '--severity and --min-severity exclude each other',
        why: 'the first names one severity, the second all from one upwards',
        hint: 'give one of them',
      });
    const least = options['min-severity'] === null ? 0 : SEVERITIES.indexOf(options['min-severity']);
    const severities = SEVERITIES.filter((severity, at) => at >= least && (options.severity === null || severity === options.severity));
    const sinceMs = options.since === null ? null : context.now() - options.since;
    const found = withAgentReader(context.paths(), (reader) =>
      listAlerts(reader, { severities, ruleId: options.rule, sinceMs, unacknowledged: options.unacknowledged, limit: options.limit }),
    );
    const alerts = found.slice(0, options.limit);
    if (options.json) context.terminal.out(jsonArrayText(alerts.map(alertJson)));
    else printTable(context, alerts);
    if (found.length > alerts.length) context.terminal.err(`only the newest ${alerts.length} are shown; --limit N shows more\n`);
    return Promise.resolve(0);
  },
});

/** The document that sinks get, and what is known since. */
export function alertJson(alert: StoredAlert): Readonly<Record<string, unknown>> {
  const { repeats, lastSeenMs, acknowledged } = alert;
  return {
    ...alertDocument(alert),
    repeats,
    last_seen: isoTime(lastSeenMs),
    acknowledged: acknowledged === null ? null : acknowledgementJson(acknowledged),
  };
}

function printTable({ terminal, now }: CommandContext, alerts: readonly StoredAlert[]): void {
  if (alerts.length === 0) return terminal.out('no alerts\n');
  const { styles, width } = terminal;
  const rows = alerts.map((alert) => [
    alert.id,
    tableTime(alert.alertTimeMs, now()),
    `${alert.severity}${alert.acknowledged === null ? '' : ACKNOWLEDGED}`,
    alert.repeats + 1,
    alert.ruleId,
    processesOf(alert),
  ]);
  const cellStyles = { severity: (value: unknown) => severityStyle(styles, String(value).replace(ACKNOWLEDGED, '')) };
  const names = ['id', 'time', 'severity', 'seen', 'rule', 'process'];
  // The rule is whole, because it is typed elsewhere: rules show, --rule.
  return terminal.out(renderTable(names, rows, { width, styles, cellStyles, whole: ['time', 'rule'] }).text);
}

/** The pid first: it is what is typed elsewhere, and names are cut where there is little room. */
function processesOf({ processes: [first], processCount }: StoredAlert): string {
  if (first === undefined) return '';
  return `${first.pid} ${first.name}${processCount > 1 ? ` and ${processCount - 1} more` : ''}`;
}
