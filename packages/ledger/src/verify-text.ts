/**
 * What a verification shows and what it cannot show, in sentences for people.
 */
import type { VerifierKey } from './note.ts';
import type { LedgerSource } from './verify-source.ts';
import type { LedgerWitness } from './verify-witness.ts';
import type { WalkSummary } from './walk.ts';
import type { LedgerFailure } from './walk-failure.ts';

export type Told = {
  readonly source: Pick<LedgerSource, 'start' | 'seal' | 'isToEnd'>;
  readonly summary: WalkSummary;
  readonly failure: LedgerFailure | null;
  readonly witnesses: readonly LedgerWitness[];
  readonly trusted: readonly VerifierKey[] | null;
  readonly outsideSize: number;
  readonly outsideName: string;
};

export function whatItShows({ source, summary, failure, witnesses, outsideSize, outsideName }: Told): string[] {
  const first = source.start.sequence + 1;
  const last = summary.position.sequence;
  const { signedSize, trustedSize, signatures } = summary;
  const lines: string[] = [];
  if (last >= first)
    lines.push(
      `Entries ${first} to ${last} are complete, in order and fit their hashes: none of them was changed, removed or inserted without recomputing all that follow.`,
    );
  if (trustedSize > 0) lines.push(`Entries 1 to ${trustedSize} are those that were signed with a key that you trust (${whenOf(summary)}).`);
  else if (signedSize > 0)
    lines.push(`Entries 1 to ${signedSize} are those that were signed with a key that the ledger itself names (${whenOf(summary)}).`);
  if (signatures > 0) lines.push(`${signatures} entries are signed by themselves too, each by the key of its epoch.`);
  if (failure !== null) return lines;
  if (outsideSize > 0) lines.push(`Entries 1 to ${outsideSize} are those of a signed checkpoint that ${outsideName} keeps.`);
  const head = newestHead(witnesses, last);
  if (head !== null) lines.push(`Entries 1 to ${head.sequence} are those that ${head.name} acknowledged.`);
  return lines;
}

export function whatItCannotShow(told: Told): string[] {
  const { source, summary, failure, trusted } = told;
  const { start, seal, isToEnd } = source;
  const last = summary.position.sequence;
  const lines: string[] = [];
  if (failure !== null && failure.what !== 'witness')
    lines.push(`Whether anything after entry ${last} can be trusted: it does not link to what was verified.`);
  if (seal === null && start.sequence > 0)
    lines.push(`What entries 1 to ${start.sequence} say: they were not read, and stand only by the checkpoint of epoch ${start.epoch}.`);
  if (seal !== null) lines.push(`What entries 1 to ${seal.sequence} say: they are in an archive, which was not read.`);
  if (!isToEnd) lines.push(`What comes after entry ${last}: it was not read.`);
  lines.push(...openEnd(told), ...whoSigned(summary, trusted));
  return lines;
}

/** How wide the end is that nobody else holds. */
function openEnd({ summary, failure, witnesses, outsideSize, source }: Told): string[] {
  const last = summary.position.sequence;
  if (witnesses.length === 0) {
    const rewritten =
      summary.signedSize > 0 ? 'nor a ledger that was rewritten as a whole with its key' : 'nor a ledger that was rewritten as a whole';
    return [`No witness: entries removed from the end cannot be noticed, ${rewritten}.`];
  }
  if (failure !== null) return [];
  const head = newestHead(witnesses, last)?.sequence ?? 0;
  const known = Math.max(head, outsideSize);
  const lines = source.isToEnd ? [`Whether entries were removed or replaced after entry ${known}, the newest that a witness knows.`] : [];
  if (outsideSize < last && summary.signedSize > 0)
    lines.push(
      `Whether entries after ${outsideSize} were rewritten with the key: no checkpoint of them is known elsewhere (${last - outsideSize} entries).`,
    );
  return [...lines, 'Whether the witnesses were changed too: one on the same host is only as safe as its file.'];
}

function whoSigned({ signedSize, position, keys }: WalkSummary, trusted: readonly VerifierKey[] | null): string[] {
  if (signedSize === 0) return ['Who wrote the entries: they are not signed.'];
  const lines: string[] = [];
  if (signedSize < position.sequence)
    lines.push(`Who wrote entries ${signedSize + 1} to ${position.sequence}: no checkpoint covers them yet.`);
  if (trusted === null) {
    const ids = keys.map(({ key }) => key.id).join(', ');
    lines.push(`Whose key it is: only the ledger says so (${ids}). Give a key that you keep elsewhere.`);
  }
  return lines;
}

function whenOf({ newest }: WalkSummary): string {
  return newest === null ? 'before the start' : `epoch ${newest.epoch}, ${new Date(newest.timestampMs).toISOString()}`;
}

function newestHead(witnesses: readonly LedgerWitness[], last: number): { readonly name: string; readonly sequence: number } | null {
  let newest: { readonly name: string; readonly sequence: number } | null = null;
  for (const witness of witnesses) {
    if (!('head' in witness) || witness.head.sequence > last) continue;
    if (newest === null || witness.head.sequence > newest.sequence) newest = { name: witness.name, sequence: witness.head.sequence };
  }
  return newest;
}
