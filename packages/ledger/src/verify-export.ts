/**
 * Whether an export holds, and what that shows and does not show: the rules of a ledger, from what the file starts from to
 * its last checkpoint.
 */
import type { ExportHeader, ExportReading } from './export-file.ts';
import { objectOf } from './json-members.ts';
import type { VerifierKey } from './note.ts';
import { createWalk, type LedgerFailure, type WalkSummary } from './walk.ts';

export type ExportFailure = LedgerFailure & {
  /** Of the file; null where only the end shows it. */
  readonly line: number | null;
};

export type ExportVerification = {
  readonly ok: boolean;
  /** The first that does not hold; null where all does. */
  readonly failure: ExportFailure | null;
  readonly header: ExportHeader;
  /** Entries and checkpoints that hold. */
  readonly entries: number;
  readonly checkpoints: number;
  /** Ids of the keys that sign in it. */
  readonly keyIds: readonly string[];
  /** Worth a look, but no failure. */
  readonly notes: readonly string[];
  /** What holds by this verification, and what it cannot know; sentences for people. */
  readonly shows: readonly string[];
  readonly cannotShow: readonly string[];
};

/**
 * Goes through the export once. Without keys to trust (null) the file's own word is taken for who signed.
 * @throws SentinelError ledger.input where the file has not its form or ends too early.
 */
export function verifyExport(reading: ExportReading, trusted: readonly VerifierKey[] | null): ExportVerification {
  const { header, start } = reading;
  const walk = createWalk(start, { trusted });
  let failure: ExportFailure | null = null;
  const notes: string[] = [];
  for (const record of reading.records) {
    if (record.kind === 'entry' && record.entry.sequence === 1) notes.push(...hostNotes(header, record.entry.eventData));
    const found = record.kind === 'entry' ? walk.entry(record.entry, record.body) : walk.checkpoint(record.row);
    if (found !== null) {
      failure = { ...found, line: record.line };
      break;
    }
  }
  const summary = walk.end();
  failure ??= atEnd(summary.failure ?? headerFault(header, summary) ?? trustFault(header, summary, trusted));
  const { checkpoints, keys, position } = summary;
  return {
    ok: failure === null,
    failure,
    header,
    entries: position.sequence - start.sequence,
    checkpoints,
    keyIds: keys.map(({ key }) => key.id),
    notes: [...notes, ...summary.notes],
    shows: failure === null ? whatItShows(header, summary, trusted) : [],
    cannotShow: failure === null ? whatItCannotShow(header, trusted) : [],
  };
}

function atEnd(failure: LedgerFailure | null): ExportFailure | null {
  return failure === null ? null : { ...failure, line: null };
}

/** The header is not signed, and entry 1 is: where they name different hosts, somebody should look. */
function hostNotes({ hostId }: ExportHeader, eventData: string): string[] {
  const data = objectOf(eventData);
  return data['host_id'] === hostId ? [] : [`The header is of host ${hostId}, and entry 1 is of another or of none.`];
}

function headerFault({ ledgerId }: ExportHeader, summary: WalkSummary): LedgerFailure | null {
  if (summary.ledgerId === ledgerId) return null;
  return { sequence: 1, what: 'field', why: 'the header is of another ledger than entry 1' };
}

/** Every entry must be covered by somebody who is trusted, not only the first of them. */
function trustFault({ to }: ExportHeader, { trustedSize }: WalkSummary, trusted: readonly VerifierKey[] | null): LedgerFailure | null {
  if (trusted === null || trustedSize === to) return null;
  return {
    sequence: trustedSize + 1,
    what: 'key',
    why: 'no checkpoint from here on is signed by a key that you trust, or by one that such a key announced',
  };
}

function whatItShows({ from, to }: ExportHeader, summary: WalkSummary, trusted: readonly VerifierKey[] | null): string[] {
  const { checkpoints, newest, signatures, keys } = summary;
  const ids = keys.map(({ key }) => key.id).join(', ');
  const lines = [
    `Entries ${from} to ${to} are complete, in order and unchanged since the last checkpoint was signed over all of them.`,
    `${checkpoints} checkpoints hold; none is missing between the first and the last, which closes epoch ${newest?.epoch ?? 0}.`,
  ];
  if (trusted !== null) lines.push(`They were signed by keys that you trust, or that such keys announced (${ids}).`);
  if (from > 1)
    lines.push(`The ledger had ${from - 1} entries before: the signed root covers them, so they cannot be exchanged for others.`);
  if (signatures > 0) lines.push(`${signatures} entries have signatures of their own, and all of them are right.`);
  return lines;
}

function whatItCannotShow({ from, to }: ExportHeader, trusted: readonly VerifierKey[] | null): string[] {
  const lines: string[] = [];
  if (trusted === null) {
    lines.push(
      'Who signed: no key was given to trust, so only the word of the file stands for it. Whoever can write a file can make a key and sign all of it.',
    );
  }
  if (from > 1) lines.push(`What entries 1 to ${from - 1} say: they are not in the file.`);
  if (from > 1) lines.push('Which host it is from: its name is in the header alone, which nobody signed.');
  lines.push(
    `Whether entries followed ${to}.`,
    'Whether the holder of the key signed another history too: that takes checkpoints which others keep.',
    'Whether what the entries say is true, and whether the clock of the host was right.',
  );
  return lines;
}
