/**
 * What sentinel-verify prints. Nothing of a file reaches the terminal unescaped.
 */
import type { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { entryToJson } from '../entry-json.ts';
import type { ExportVerification } from '../verify-export.ts';
import type { Proof, ProofVerification } from '../verify-proof.ts';

/** What became of one file. */
export type Verdict =
  | { readonly kind: 'export'; readonly file: string; readonly result: ExportVerification }
  | { readonly kind: 'proof'; readonly file: string; readonly proof: Proof; readonly result: ProofVerification }
  | { readonly kind: 'error'; readonly file: string; readonly error: SentinelError };

/** Characters of event_data that are shown to people. */
const MAX_SHOWN = 2_000;

/** 0 where it holds, 1 where it does not, else that of the error. */
export function statusOf(verdict: Verdict): number {
  if (verdict.kind === 'error') return verdict.error.exitStatus;
  return verdict.result.ok ? 0 : 1;
}

export function textOf(verdict: Verdict): string {
  const file = displayHostText(verdict.file);
  if (verdict.kind === 'error') return errorText(file, verdict.error);
  const { ok, shows, cannotShow } = verdict.result;
  const blocks = [
    `${file}: ${ok ? 'holds' : 'DOES NOT HOLD'}`,
    ...(verdict.kind === 'export' ? exportLines(verdict.result) : proofLines(verdict)),
  ];
  const notes = verdict.kind === 'export' ? verdict.result.notes : [];
  return [...blocks, ...list('Shows:', shows), ...list('Cannot show:', cannotShow), ...list('Worth a look:', notes), ''].join('\n');
}

/** Three lines: what, why, what to do. */
export function errorText(where: string, { message, why, hint }: SentinelError): string {
  return `${where}: ${displayHostText(message)}\n  ${displayHostText(why)}\n  ${displayHostText(hint)}\n`;
}

export function jsonOf(verdict: Verdict): string {
  return `${JSON.stringify(membersOf(verdict))}\n`;
}

function exportLines({ header, failure, entries, checkpoints }: ExportVerification): string[] {
  const { ledgerId, hostId, from, to } = header;
  const lines = [`  Export of ledger ${displayHostText(ledgerId)} of host ${displayHostText(hostId)}: entries ${from} to ${to}.`];
  if (failure === null) return lines;
  const where = failure.line === null ? '' : ` (line ${failure.line})`;
  return [
    ...lines,
    `  Entry ${failure.sequence}${where}: ${displayHostText(failure.why)} [${failure.what}]`,
    `  Up to there ${entries} entries and ${checkpoints} checkpoints hold; what follows was not looked at.`,
  ];
}

function proofLines({ proof, result }: Extract<Verdict, { readonly kind: 'proof' }>): string[] {
  const { entry } = proof;
  if (result.why !== null) return [`  Proof of entry ${entry.sequence}: ${displayHostText(result.why)}.`];
  const data = displayHostText(entry.eventData);
  const more = data.length > MAX_SHOWN ? ` (${data.length - MAX_SHOWN} more characters; --json has all)` : '';
  return [
    `  Entry ${entry.sequence} of ${displayHostText(result.checkpoint.origin)}: ${displayHostText(entry.action)} by ${displayHostText(entry.actor)}`,
    `  ${data.slice(0, MAX_SHOWN)}${more}`,
  ];
}

function list(title: string, sentences: readonly string[]): string[] {
  return sentences.length === 0 ? [] : [title, ...sentences.map((sentence) => `  - ${displayHostText(sentence)}`)];
}

function membersOf(verdict: Verdict): Readonly<Record<string, unknown>> {
  const { file, kind } = verdict;
  if (kind === 'error') {
    const { code, message, why, hint } = verdict.error;
    return { file, ok: false, error: { code, message, why, hint } };
  }
  const { ok, shows, cannotShow } = verdict.result;
  const said = { shows, cannot_show: cannotShow };
  if (kind === 'proof') {
    const { why, key, checkpoint } = verdict.result;
    const signed = {
      origin: checkpoint.origin,
      epoch: checkpoint.epoch,
      tree_size: checkpoint.treeSize,
      timestamp: checkpoint.timestampMs,
    };
    return { file, kind, ok, why, key: key?.text ?? null, checkpoint: signed, entry: entryToJson(verdict.proof), ...said };
  }
  const { header, failure, entries, checkpoints, keyIds, notes } = verdict.result;
  const { ledgerId, hostId, from, to } = header;
  return { file, kind, ok, failure, ledger_id: ledgerId, host_id: hostId, from, to, entries, checkpoints, keys: keyIds, notes, ...said };
}
