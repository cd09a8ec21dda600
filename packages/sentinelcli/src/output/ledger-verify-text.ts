/**
 * The result of `audit verify`, for people and as JSON.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { LedgerVerification } from '@sentineld/ledger/verify';
import type { Witnesses } from '../ledger/verify-witnesses.ts';
import { checkpointJson } from './note-text.ts';
import type { Terminal } from './terminal.ts';
import { localTime } from './times.ts';
import { indentText } from './wrap.ts';

export type VerificationReport = { readonly result: LedgerVerification; readonly witnesses: Witnesses; readonly ms: number };

export function verificationText({ result, witnesses, ms }: VerificationReport, terminal: Pick<Terminal, 'styles' | 'width'>): string {
  const { styles, width } = terminal;
  const section = (heading: string, lines: readonly string[]): string => {
    const items = lines.map((line) => indentText(displayHostText(line), width, '    ', '  - '));
    return items.length === 0 ? '' : `${styles.bold(heading)}\n${items.join('')}`;
  };
  const told = witnessLines(witnesses);
  return [
    verdictText(result, ms, terminal),
    indentText(identityLines(result), width, '  '),
    section('Witnesses', told.length === 0 ? ['none: procmond is not running, and the agent keeps no entry of this ledger'] : told),
    section('This shows', result.shows),
    section('It cannot show', result.cannotShow),
    section('Notes', result.notes),
  ].join('');
}

function verdictText({ failure, first, entries }: LedgerVerification, ms: number, terminal: Pick<Terminal, 'styles' | 'width'>): string {
  const { styles, width } = terminal;
  const from = first === 1 ? '' : ` from ${first} on`;
  if (failure === undefined) return `${styles.green('ok')}: ${entries} entries${from} hold (${ms} ms)\n`;
  const why = indentText(displayHostText(failure.why), width, '  ');
  return `${styles.red('FAILED')} at entry ${failure.sequence} (${failure.what})\n${why}${entries} entries${from} before it hold\n`;
}

function identityLines({ head, ledgerId, checkpoints, newestCheckpoint }: LedgerVerification): readonly string[] {
  if (head === null) return [];
  const id = ledgerId === null ? 'without an id' : displayHostText(ledgerId);
  const lines = [`ledger ${id}, newest verified entry ${head.sequence}`, head.entryHash];
  if (newestCheckpoint === null) return lines;
  const { epoch, treeSize, timestampMs } = newestCheckpoint;
  return [
    ...lines,
    `${checkpoints} checkpoints hold, the newest closes epoch ${epoch}: ${treeSize} entries, signed ${localTime(timestampMs)}`,
  ];
}

/** One line per witness that there is, however much it knows. */
function witnessLines({ heads, sources }: Witnesses): readonly string[] {
  const knowing = [...Map.groupBy(heads, ({ name }) => name)].map(([name, of]) => {
    const newest = Math.max(...of.map(({ head }) => head.sequence));
    return `${name} knows ${of.length === 1 ? 'one entry' : `${of.length} entries`}, the newest is ${newest}`;
  });
  const having = sources.map(({ name, seen, failure, passedOver }) => {
    if (failure !== null) return `${name} cannot be read: ${failure}`;
    const rest = passedOver === 0 ? '' : `; ${passedOver} lines of it are no checkpoint`;
    const newest = seen.at(-1);
    if (newest === undefined) return `${name} has no checkpoint${rest}`;
    const { epoch, treeSize } = newest.checkpoint;
    return `${name} has ${seen.length === 1 ? 'one checkpoint' : `${seen.length} checkpoints`}, the newest of epoch ${epoch} and ${treeSize} entries${rest}`;
  });
  return [...knowing, ...having];
}

export function verificationJson({ result, witnesses, ms }: VerificationReport): unknown {
  const { ok, first, entries, head, ledgerId, failure, notes, shows, cannotShow } = result;
  return {
    ok,
    first,
    entries,
    head: head === null ? null : { sequence: head.sequence, entry_hash: head.entryHash },
    ledger_id: ledgerId,
    checkpoints: result.checkpoints,
    checkpoint: result.newestCheckpoint === null ? null : checkpointJson(result.newestCheckpoint),
    keys: result.keys.map(({ key, firstEpoch, isAnnounced }) => ({ key: key.text, first_epoch: firstEpoch, announced: isAnnounced })),
    signed_through: result.signedSize,
    trusted_through: result.trustedSize,
    outside_through: result.outsideSize,
    failure: failure ?? null,
    witnesses: witnesses.heads.map(({ name, head: known }) => ({ name, sequence: known.sequence, entry_hash: known.entryHash })),
    outside: witnesses.sources.map(({ kind, name, seen, failure: unread, passedOver }) => {
      const newest = seen.at(-1);
      return {
        kind,
        name,
        failure: unread,
        checkpoints: seen.length,
        newest: newest === undefined ? null : checkpointJson(newest.checkpoint),
        passed_over: passedOver,
      };
    }),
    notes,
    shows,
    cannot_show: cannotShow,
    ms,
  };
}
