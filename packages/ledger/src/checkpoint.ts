/**
 * Signed checkpoints of a ledger (c2sp.org/tlog-checkpoint): a root that stands for all entries up to a number, with the
 * epoch that it closes, its time, and the end of the chain.
 */
import { SentinelError } from '@sentineld/model/error';
import { HASH_BYTES } from './canonical-entry.ts';
import { fromBase64, parseNote, signNote, type Note, type Signer } from './note.ts';

/** What a checkpoint says. */
export type CheckpointFields = {
  readonly origin: string;
  /** Entries of the ledger: the number of the newest. */
  readonly treeSize: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** From 1. */
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  /** entry_hash of the newest entry, 32 bytes. */
  readonly chain: Uint8Array;
};

export type Checkpoint = CheckpointFields & {
  /** The signed note, whole. */
  readonly note: string;
};

const ORIGIN_PREFIX = 'sentineld-ledger/';
const LINES = 6;

/** What names a ledger, and the key that signs it. */
export function originOf(ledgerId: string): string {
  return `${ORIGIN_PREFIX}${ledgerId}`;
}

/** The id of the ledger, or null where the origin is none of ours. */
export function ledgerIdOf(origin: string): string | null {
  return origin.startsWith(ORIGIN_PREFIX) ? origin.slice(ORIGIN_PREFIX.length) : null;
}

export function signCheckpoint(fields: CheckpointFields, signer: Signer): Checkpoint {
  return { ...fields, note: signNote(checkpointText(fields), signer) };
}

/** The text that is signed. */
export function checkpointText({ origin, treeSize, rootHash, epoch, timestampMs, chain }: CheckpointFields): string {
  return `${origin}\n${treeSize}\n${base64(rootHash)}\nepoch ${epoch}\ntime ${timestampMs}\nchain ${base64(chain)}\n`;
}

/**
 * Reads a checkpoint; its signature is not looked at.
 * @throws SentinelError ledger.input saying which line is wrong.
 */
export function parseCheckpoint(note: string): { readonly checkpoint: Checkpoint; readonly signed: Note } {
  const signed = parseNote(note);
  const lines = signed.text.slice(0, -1).split('\n');
  if (lines.length !== LINES) throw wrong(`its text has ${lines.length} lines, not ${LINES}`);
  const [origin = '', size = '', root = '', epoch = '', time = '', chain = ''] = lines;
  if (ledgerIdOf(origin) === null) throw wrong(`line 1 does not begin with ${ORIGIN_PREFIX}: it is a checkpoint of another kind of log`);
  const fields = {
    origin,
    treeSize: number(size, 'line 2, the tree size'),
    rootHash: hash(root, 'line 3, the root'),
    epoch: number(named(epoch, 'epoch'), 'line 4, the epoch'),
    timestampMs: number(named(time, 'time'), 'line 5, the time'),
    chain: hash(named(chain, 'chain'), 'line 6, the chain'),
  };
  if (fields.epoch === 0) throw wrong('line 4, the epoch, is 0: epochs count from 1');
  return { checkpoint: { ...fields, note }, signed };
}

/** What follows the word of a line; empty, which is refused, where the line has another word. */
function named(line: string, word: string): string {
  return line.startsWith(`${word} `) ? line.slice(word.length + 1) : '';
}

function number(text: string, where: string): number {
  const value = Number(text);
  if (/^(?:0|[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(value)) return value;
  throw wrong(`${where}, is not a whole number below 2^53`);
}

function hash(text: string, where: string): Uint8Array {
  const bytes = fromBase64(text);
  if (bytes?.length === HASH_BYTES) return bytes;
  throw wrong(`${where}, is not ${HASH_BYTES} bytes in base64`);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function wrong(why: string): SentinelError {
  return new SentinelError('ledger.input', {
    message: 'This is no checkpoint of a ledger.',
    why,
    hint: 'Checkpoints are printed by `sentinelcli audit checkpoint`, and are in the files of ledger.mirror.',
  });
}
