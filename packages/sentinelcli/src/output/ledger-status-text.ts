/**
 * How well the ledger is protected, as a page for people.
 */
import type { Checkpoint } from '@sentineld/ledger/checkpoint';
import type { Contradiction } from '../ledger/contradictions.ts';
import type { Archive, LedgerStatus, OutsideStatus } from '../ledger/status-report.ts';
import { padCells } from './cells.ts';
import type { Terminal } from './terminal.ts';
import { localTime, roughDuration, roughSize } from './times.ts';
import { indentText } from './wrap.ts';

const LABEL_WIDTH = 13;
const MOST_CONTRADICTIONS = 10;

export function ledgerStatusText(status: LedgerStatus, { styles, width }: Pick<Terminal, 'styles' | 'width'>, now: number): string {
  const line = (label: string, texts: string | readonly string[]): string =>
    texts.length === 0 ? '' : indentText(texts, width, ' '.repeat(LABEL_WIDTH), padCells(label, LABEL_WIDTH));
  const { newest, contradictions } = status;
  const open = contradictions.filter(({ isExcused }) => !isExcused);
  const excused = contradictions.length - open.length;
  return [
    line('ledger', status.ledgerId),
    line('entries', `${status.entries}${newest === null ? '' : `, the newest ${roughDuration(now - newest.timestampMs)} ago`}`),
    line('checkpoint', checkpointLine(status, now)),
    line('key', keyLine(status)),
    line('seal', status.sealedThrough === 0 ? [] : `entries up to ${status.sealedThrough} were archived`),
    line('archives', status.archives.length === 0 ? 'none' : status.archives.map(archiveLine)),
    line(
      'outside',
      status.outside.flatMap((outside) => outsideLines(outside, now)),
    ),
    line('unprotected', unprotectedLines(status, now)),
    open.length === 0 ? '' : `\n${styles.red('CONTRADICTED')} by what is known outside\n`,
    ...open.slice(0, MOST_CONTRADICTIONS).map((one) => indentText(contradictionLine(one), width, '    ', '  - ')),
    open.length > MOST_CONTRADICTIONS ? `  and ${open.length - MOST_CONTRADICTIONS} more (--json has them)\n` : '',
    open.length === 0 ? '' : indentText(WHAT_TO_DO, width, '  '),
    excused === 0
      ? ''
      : indentText(`${excused} ${excused === 1 ? 'contradiction is' : 'contradictions are'} explained by a recorded restore.`, width, ''),
  ].join('');
}

const WHAT_TO_DO =
  'Was its file put back from a backup? Then say so: sentinelcli audit restore --reason TEXT. Otherwise keep the file as evidence: somebody has changed it.';

function checkpointLine({ checkpoint, uncovered }: LedgerStatus, now: number): string {
  if (checkpoint === null) return 'none yet: nothing of the ledger is signed';
  const since = uncovered === 0 ? 'no entry since' : `${uncovered} ${uncovered === 1 ? 'entry' : 'entries'} since`;
  return `${checkpointFacts(checkpoint, now)}; ${since}`;
}

function checkpointFacts({ epoch, treeSize, timestampMs }: Checkpoint, now: number): string {
  return `epoch ${epoch}, ${treeSize} entries, ${roughDuration(now - timestampMs)} ago`;
}

function keyLine({ key }: LedgerStatus): string {
  if (key === null) return 'none: the ledger was written by a release that did not sign';
  const { period, entry } = key;
  const since = entry === null ? 'announced in an archive' : `entry ${entry.sequence}, ${localTime(entry.timestampMs)}`;
  const doubt = period.isAnnounced ? '' : '; no key before it announced it';
  return `${period.key.id}, from epoch ${period.firstEpoch} on (${since})${doubt}`;
}

function archiveLine({ file, throughSequence, bytes }: Archive): string {
  return `${file}: entries up to ${throughSequence}, ${bytes === null ? 'not in the directory of archives' : roughSize(bytes)}`;
}

function outsideLines({ source, newest }: OutsideStatus, now: number): readonly string[] {
  const { name, failure, passedOver } = source;
  if (failure !== null) return [`${name}: ${failure}`];
  const unread = passedOver === 0 ? '' : `; ${passedOver} lines are no checkpoint`;
  const known = newest === null ? 'no checkpoint of this ledger' : checkpointFacts(newest.checkpoint, now);
  return [`${name}: ${known}${unread}`];
}

function unprotectedLines({ unprotected, entries }: LedgerStatus, now: number): readonly string[] {
  const { entries: count, sinceMs } = unprotected;
  const own = 'A checkpoint on this host is only as safe as its file: keep some elsewhere (ledger.mirror, sentinelcli audit checkpoint).';
  if (sinceMs === null) return [`all ${entries} entries: nobody outside knows a checkpoint of this ledger`, own];
  return [
    `${count} ${count === 1 ? 'entry' : 'entries'}, ${roughDuration(now - sinceMs)}: what came after the newest checkpoint outside`,
    own,
  ];
}

function contradictionLine({ source, seen, why, isSigned }: Contradiction): string {
  const { epoch, timestampMs } = seen.checkpoint;
  const who = isSigned ? '' : '; no key of this ledger signed it: another key did, or somebody made it up';
  return `${source.name}, epoch ${epoch} of ${localTime(timestampMs)}: ${why}${who}`;
}
