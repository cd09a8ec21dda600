/**
 * Files that are to be verified, and files of keys. Every read is bounded: an export is read line by line, all others
 * only as long as a proof may be.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { SentinelError, reasonOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { EXPORT_FORMAT } from '../export-lines.ts';
import { MAX_KEY_FILE_BYTES, parseKeyLines } from '../key-lines.ts';
import type { VerifierKey } from '../note.ts';
import { MAX_PROOF_BYTES, PROOF_FORMAT } from '../proof.ts';

export type Input = { readonly kind: 'export'; readonly chunks: Iterable<Uint8Array> } | { readonly kind: 'proof'; readonly text: string };

const CHUNK_BYTES = 256 * 1024;
/** Both forms name themselves at their beginning, where nobody sorted their members. */
const HEAD_BYTES = 4096;

/**
 * Opens a file ('-' is standard input), has it looked at, and closes it.
 * @throws SentinelError ledger.input for what cannot be read and for what is neither an export nor a proof.
 */
export function withInput<Result>(path: string, use: (input: Input) => Result): Result {
  const what = path === '-' ? 'Standard input' : 'This file';
  const descriptor = path === '-' ? 0 : orUnreadable(what, () => openSync(path, 'r'));
  try {
    return use(inputOf(what, chunksOf(what, descriptor)));
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}

/** The keys of a file: one a line; what follows # is for people. @throws SentinelError ledger.input naming the line. */
export function readKeyFile(path: string): readonly VerifierKey[] {
  const what = `The file of keys ${displayHostText(path)}`;
  const descriptor = orUnreadable(what, () => openSync(path, 'r'));
  try {
    const bytes = upTo(chunksOf(what, descriptor), MAX_KEY_FILE_BYTES);
    if (bytes === null) throw unusable(what, `it has more than ${MAX_KEY_FILE_BYTES} bytes, and a key takes one short line`);
    return parseKeyLines(bytes.toString('utf8'), path);
  } finally {
    closeSync(descriptor);
  }
}

function inputOf(what: string, chunks: Iterator<Uint8Array, void, undefined>): Input {
  const first = chunks.next();
  if (first.done === true) throw unusable(what, 'it is empty');
  const head = Buffer.from(first.value.subarray(0, HEAD_BYTES)).toString('latin1');
  const [exportAt, proofAt] = [head.indexOf(EXPORT_FORMAT), head.indexOf(PROOF_FORMAT)];
  const all = prepend(first.value, chunks);
  if (exportAt >= 0 && (proofAt < 0 || exportAt < proofAt)) return { kind: 'export', chunks: all };
  const bytes = upTo(all, MAX_PROOF_BYTES);
  if (bytes === null)
    throw unusable(what, `it does not begin as an export does, and has more than the ${MAX_PROOF_BYTES} bytes of a proof`);
  if (!bytes.includes(PROOF_FORMAT)) throw unusable(what, 'it is neither an export of a ledger nor a proof of an entry');
  return { kind: 'proof', text: textOf(what, bytes) };
}

/** All bytes, or null where there are more. */
function upTo(chunks: Iterable<Uint8Array>, maxBytes: number): Buffer | null {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) return null;
    pieces.push(chunk);
  }
  return Buffer.concat(pieces);
}

function textOf(what: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw unusable(what, 'it is not UTF-8 text');
  }
}

function* chunksOf(what: string, descriptor: number): Generator<Uint8Array, void, undefined> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    const bytes = orUnreadable(what, () => readSync(descriptor, buffer));
    if (bytes === 0) return;
    yield buffer.subarray(0, bytes);
  }
}

function* prepend(first: Uint8Array, rest: Iterator<Uint8Array, void, undefined>): Generator<Uint8Array, void, undefined> {
  yield first;
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield next.value;
}

function orUnreadable<Result>(what: string, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    throw unusable(what, reasonOf(thrown));
  }
}

function unusable(what: string, why: string): SentinelError {
  return new SentinelError('ledger.input', {
    message: `${what} cannot be used.`,
    why,
    hint: 'Give an export (`sentinelcli audit export`), a proof (`sentinelcli audit prove`) or a file of keys, whole and readable.',
  });
}
