/**
 * An alert as a person reads it in a terminal. Everything that came from the host is escaped and cut.
 */
import type { Alert } from '@sentineld/model/alert';
import { displayHostText } from '@sentineld/model/host-text';
import type { AffectedProcess } from '@sentineld/model/rule';

const MAX_PROCESSES = 3;
const MAX_TEXT = 160;

/** A few lines, ending with a newline. */
export function alertText(alert: Alert): string {
  const time = new Date(alert.alertTimeMs).toISOString().slice(0, 19).replace('T', ' ');
  const attack = alert.attack.length > 0 ? `  ${alert.attack.join(' ')}` : '';
  const more = alert.processes.length - MAX_PROCESSES;
  const lines = [
    `${time}Z  ${alert.severity.toUpperCase()}  ${shown(alert.title)}  [${shown(alert.ruleId)}]${attack}`,
    ...alert.processes.slice(0, MAX_PROCESSES).flatMap(processLines),
    ...(more > 0 ? [`    and ${more} more`] : []),
    `    alert ${alert.id} on ${shown(alert.hostName)}; the whole of it: sentinelcli alerts show ${alert.id}`,
  ];
  return `${lines.join('\n')}\n`;
}

function processLines(process: AffectedProcess): string[] {
  const parent = process.ppid === null ? '' : `, parent ${process.ppid} ${shown(process.parentName ?? '(gone)')}`;
  const argv = process.argv === null || process.argv.length === 0 ? [] : [`    argv ${shown(JSON.stringify(process.argv))}`];
  return [
    `    pid ${process.pid} ${shown(process.name)}, exe ${shown(process.exePath ?? '(unknown)')}, user ${shown(process.user ?? '(unknown)')}${parent}`,
    ...argv,
  ];
}

function shown(text: string): string {
  const safe = displayHostText(text);
  return safe.length > MAX_TEXT ? `${safe.slice(0, MAX_TEXT)}…` : safe;
}
