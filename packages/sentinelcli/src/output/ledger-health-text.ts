/**
 * What procmond says of its ledger, for the page of health. It may be of another release: what is not there, or is not as it is
 * known, is left out.
 */
import type { LedgerHead } from '@sentineld/model/audit';
import { isRecord, listField, numberField, recordField, textField, type Fields } from '../fields.ts';
import { roughDuration } from './times.ts';

/** Sentences, each of which begins a line; not yet safe to show. `now` in milliseconds since 1970. */
export function ledgerHealthTexts(head: LedgerHead | null, details: Fields, now: number): readonly string[] {
  if (head === null) return ['unknown: procmond does not tell its newest entry'];
  const ledger = recordField(details, 'ledger');
  return [
    `${head.sequence} entries, the newest is ${head.entryHash.slice(0, 16)}…`,
    ...checkpointTexts(ledger, head, now),
    ...mirrorTexts(listField(ledger, 'mirrors').filter(isRecord)),
  ];
}

function checkpointTexts(ledger: Fields, { sequence }: LedgerHead, now: number): readonly string[] {
  if (!('checkpoint' in ledger)) return [];
  const checkpoint = recordField(ledger, 'checkpoint');
  const [treeSize, timestampMs] = [numberField(checkpoint, 'treeSize'), numberField(checkpoint, 'timestampMs')];
  if (treeSize === null || timestampMs === null) return ['no checkpoint yet'];
  const keyId = textField(ledger, 'keyId');
  const since = sequence - treeSize;
  const uncovered = since <= 0 ? '' : `, ${since} ${since === 1 ? 'entry' : 'entries'} since`;
  return [`checkpoint ${roughDuration(now - timestampMs)} ago${uncovered}${keyId === null ? '' : `, signed by key ${keyId}`}`];
}

/** Those that work in one sentence, each of the others by its name. */
function mirrorTexts(mirrors: readonly Fields[]): readonly string[] {
  const failing = mirrors.filter((mirror) => textField(mirror, 'failure') !== null);
  const working = mirrors.length - failing.length;
  return [
    ...(working === 0 ? [] : [`${working} ${working === 1 ? 'mirror takes' : 'mirrors take'} checkpoints`]),
    ...failing.map((mirror) => `mirror ${textField(mirror, 'path') ?? ''} FAILS: ${textField(mirror, 'failure') ?? ''}`),
  ];
}
