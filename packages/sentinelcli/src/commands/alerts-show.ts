/**
 * `sentinelcli alerts show`: one alert as a story, from what was found to who was told.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { AffectedProcess } from '@sentineld/model/rule';
import { acknowledgementText } from '../alert-decisions.ts';
import { requireAlert, type StoredAlert, type StoredDelivery } from '../alert-store.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { fitCells } from '../output/cells.ts';
import { commandText } from '../output/command-text.ts';
import { jsonText } from '../output/json.ts';
import { alertTitle } from '../output/alert-title.ts';
import { labelled } from '../output/labelled.ts';
import { isoTime, localTime, roughDuration } from '../output/times.ts';
import { paragraphsOf } from '../output/wrap.ts';
import { alertJson } from './alerts-list.ts';

const MOST_ROWS = 10;
const MOST_PROCESSES = 20;
const MOST_VALUE_CELLS = 100;
const MOST_ARGUMENT_CELLS = 600;
/** Columns of the view processes that a process is shown with anyway. */
const PROCESS_COLUMNS: ReadonlySet<string> = new Set([
  'start_time',
  'name',
  'exe_path',
  'command_line',
  'cmdline',
  'user_name',
  'ppid',
  'parent_name',
  'parent_exe',
  'parent_cmdline',
]);

export const alertsShow: Command = defineCommand({
  name: 'alerts show',
  summary: 'Show everything about one alert',
  positionals: [{ name: 'ID', summary: 'the number in "alerts list", or newest', required: true }],
  options: { json: flag('As JSON; docs/alerts.md has its form, deliveries are added') },
  examples: [
    { line: 'sentinelcli alerts show newest', what: 'what, when, why, which processes, who was told' },
    { line: 'sentinelcli alerts show 12 --json | jq .processes', what: 'for another tool' },
  ],
  run: async (context, [word = ''], { json }) => {
    const found = requireAlert(context.paths(), word);
    const { alert, deliveries } = found;
    if (json) context.terminal.out(`${jsonText({ ...alertJson(alert), deliveries: deliveries.map(deliveryJson) }, 2)}\n`);
    else context.terminal.out(story(context, alert, deliveries));
    return Promise.resolve(0);
  },
});

function deliveryJson(delivery: StoredDelivery): Readonly<Record<string, unknown>> {
  const { sinkName, sinkType, status, attemptCount, attemptTimeMs, responseTimeMs, error, httpStatus } = delivery;
  return {
    sink: sinkName,
    type: sinkType,
    status,
    attempts: attemptCount,
    time: isoTime(attemptTimeMs),
    response_time_ms: responseTimeMs,
    error,
    http_status: httpStatus,
  };
}

function story(context: CommandContext, alert: StoredAlert, deliveries: readonly StoredDelivery[]): string {
  const part = (label: string, texts: string | readonly string[]): string => labelled(context, label, texts);
  return [
    alertTitle(context.terminal, alert),
    '\n',
    part('alert', `${alert.id}, raised ${localTime(alert.alertTimeMs)} (${roughDuration(context.now() - alert.alertTimeMs)} ago)`),
    part('repeats', repeatsText(alert)),
    part('handled', alert.acknowledged === null ? [] : [acknowledgementText(alert.acknowledged)]),
    part('host', `${alert.hostName} (host id ${alert.hostId}, boot ${alert.bootId})`),
    part('rule', `${alert.ruleId} version ${alert.ruleVersion}: ${alert.ruleName}; severity ${alert.severity}, category ${alert.category}`),
    part('tags', alert.tags.join(', ')),
    part(
      'ATT&CK',
      alert.attack.map((id) => `${id} https://attack.mitre.org/techniques/${id.replace('.', '/')}/`),
    ),
    '\n',
    part('why', paragraphsOf(alert.description)),
    '\n',
    part('matched', rowsText(alert)),
    '\n',
    processesText(context, alert),
    part('delivered', deliveries.length === 0 ? 'to no sink' : deliveries.map(deliveryText)),
    part(
      'trace',
      `${alert.correlationId}; ${alert.scanId === null ? 'no scan' : `scan ${alert.scanId}`}; the rule ran ${alert.executionTimeMs} ms`,
    ),
  ].join('');
}

function repeatsText(alert: StoredAlert): string {
  if (alert.repeats === 0) return 'not seen again';
  return `seen ${alert.repeats} ${alert.repeats === 1 ? 'time' : 'times'} more, last ${localTime(alert.lastSeenMs)}`;
}

/** What the rows have beyond the processes, which are shown below. */
function rowsText({ rows, processes }: StoredAlert): string[] {
  const lines = rows.slice(0, MOST_ROWS).map((row) => {
    const isShown = processes.some(({ pid }) => pid === row['pid']);
    const values = Object.entries(row).filter(([name, value]) => value !== null && !(isShown && PROCESS_COLUMNS.has(name)));
    return `- ${values.map(([name, value]) => `${name}=${typeof value === 'string' ? fitCells(jsonText(value), MOST_VALUE_CELLS) : value}`).join(', ')}`;
  });
  const more = rows.length - MOST_ROWS;
  return [...lines, ...(more > 0 ? [`and ${more} more rows (--json has them)`] : [])];
}

function processesText(context: CommandContext, alert: StoredAlert): string {
  const shown = alert.processes.slice(0, MOST_PROCESSES).map((process) => processText(context, process));
  const more = alert.processCount - shown.length;
  return [...shown, ...(more > 0 ? [labelled(context, '', `and ${more} more processes`), '\n'] : [])].join('');
}

function processText(context: CommandContext, process: AffectedProcess): string {
  const part = (label: string, text: string): string => labelled(context, label, text);
  const parentCommand =
    process.parentCmdline === null || process.parentCmdline === ''
      ? ''
      : `: ${fitCells(displayHostText(process.parentCmdline), MOST_ARGUMENT_CELLS)}`;
  return [
    part('process', `${process.name} (pid ${process.pid}), user ${process.user ?? 'unknown'}`),
    part('  started', process.startTimeMs === null ? '' : localTime(process.startTimeMs)),
    part('  program', process.exePath ?? 'unknown: it could not be read'),
    part(
      '  arguments',
      process.argv === null ? 'unknown: they could not be read' : fitCells(commandText(process.argv), MOST_ARGUMENT_CELLS),
    ),
    part(
      '  parent',
      process.ppid === null
        ? ''
        : `${process.parentName ?? 'gone'} (pid ${process.ppid})${process.parentExe === null ? '' : `, ${process.parentExe}`}${parentCommand}`,
    ),
    '\n',
  ].join('');
}

function deliveryText(delivery: StoredDelivery): string {
  const { sinkName, sinkType, status, attemptCount, attemptTimeMs, responseTimeMs, error, httpStatus } = delivery;
  const sink = sinkName === sinkType ? sinkName : `${sinkName} (${sinkType})`;
  const took = responseTimeMs === null ? '' : ` in ${responseTimeMs} ms`;
  const http = httpStatus === null ? '' : `, HTTP ${httpStatus}`;
  return `${sink}: ${status}${took}, ${attemptCount} ${attemptCount === 1 ? 'attempt' : 'attempts'}, ${localTime(attemptTimeMs)}${http}${error === null ? '' : `: ${error}`}`;
}
