/**
 * `sentinelcli alerts tail`: alerts as they are raised.
 */
import { displayHostText } from '@sentineld/model/host-text';
import { SEVERITIES } from '@sentineld/model/rule';
import { alertsAfter, listAlerts, newestAlert, withAgentReader, type StoredAlert } from '../alert-store.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { choice, duration, flag, text, wholeNumber } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { severityStyle } from '../output/styles.ts';
import { localTime } from '../output/times.ts';
import { alertJson } from './alerts-list.ts';

const POLL_MS = 500;
const PAGE = 100;
const DAY_MS = 86_400_000;

export const alertsTail: Command = defineCommand({
  name: 'alerts tail',
  summary: 'Show alerts as they are raised',
  description:
    'The newest alerts, and then each new one within a second of being stored, until Ctrl-C. Repeats of an alert are counted, not shown again: "alerts list" has the counts.',
  options: {
    'min-severity': choice(SEVERITIES, 'Of this severity or worse'),
    rule: text('ID', 'Of this rule alone'),
    lines: wholeNumber({ least: 0, most: 10_000 }, 10, 'Alerts to begin with'),
    for: duration({ leastMs: 1, mostMs: 366 * DAY_MS }, 'End after this time'),
    json: flag('A JSON object a line; the form is in docs/alerts.md'),
  },
  examples: [
    { line: 'sentinelcli alerts tail', what: 'until Ctrl-C' },
    { line: 'sentinelcli alerts tail --min-severity high --lines 0 --for 1h', what: 'what is serious and comes within an hour' },
    { line: 'sentinelcli alerts tail --json | jq -r .title', what: 'for another tool' },
  ],
  run: async (context, _words, options) => {
    const least = options['min-severity'] === null ? 0 : SEVERITIES.indexOf(options['min-severity']);
    const filter = { severities: SEVERITIES.filter((_severity, at) => at >= least), ruleId: options.rule };
    const endMs = options.for === null ? Infinity : performance.now() + options.for;
    const show = (alerts: readonly StoredAlert[]): void => {
      for (const alert of alerts) context.terminal.out(options.json ? `${jsonText(alertJson(alert))}\n` : lineOf(context, alert));
    };
    const paths = context.paths();
    let last = withAgentReader(paths, (reader) => {
      const newest = newestAlert(reader);
      if (options.lines > 0)
        show(
          listAlerts(reader, { ...filter, sinceMs: null, limit: options.lines })
            .filter(({ id }) => id <= newest)
            .slice(0, options.lines)
            .toReversed(),
        );
      return newest;
    });
    while ((await context.terminal.outTaken()) && performance.now() < endMs) {
      const waitMs = Math.max(0, Math.min(POLL_MS, endMs - performance.now()));
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      last = withAgentReader(paths, (reader) => {
        // Before the reading: what is raised meanwhile is for the next time.
        const newest = newestAlert(reader);
        for (let from = last; ;) {
          const page = alertsAfter(reader, from, { ...filter, limit: PAGE }).filter(({ id }) => id <= newest);
          show(page);
          if (page.length < PAGE) return Math.max(last, newest);
          from = page.at(-1)?.id ?? newest;
        }
      });
    }
    return 0;
  },
});

function lineOf({ terminal: { styles } }: CommandContext, { id, alertTimeMs, severity, ruleId, title }: StoredAlert): string {
  const mark = severityStyle(styles, severity)(severity.toUpperCase().padEnd(8));
  return `${localTime(alertTimeMs)}  ${String(id).padStart(6)}  ${mark}  ${ruleId}  ${displayHostText(title)}\n`;
}
