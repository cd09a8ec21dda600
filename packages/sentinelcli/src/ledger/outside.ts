/**
 * Checkpoints of the ledger that were seen outside of it: in the mirrors that procmond appends them to, in the agent's
 * database, and in files that an operator kept. Others may write some of these, so each is read within bounds, and what is no
 * checkpoint is passed over and counted.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { SentinelError, messageOf, reasonOf } from '@sentineld/model/error';
import { MAX_NOTE_LENGTH } from '@sentineld/model/request';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { LEDGER_CHECKPOINT_SEEN_SQL } from '@sentineld/store/agent/readable';
import { parseCheckpoint, type Checkpoint } from '@sentineld/ledger/checkpoint';
import type { Note } from '@sentineld/ledger/note';
import { withAgentReader } from '../alert-store.ts';
import { isRecord, numberField, textField } from '../fields.ts';

export type SeenCheckpoint = {
  readonly checkpoint: Checkpoint;
  readonly signed: Note;
  /** Milliseconds since 1970 when it was written there; null where that is not told. */
  readonly seenMs: number | null;
};

/** A place outside of the ledger, and what it has. */
export type OutsideSource = {
  readonly kind: 'mirror' | 'agent' | 'file';
  /** For people: the path, or "the agent's file". */
  readonly name: string;
  /** By tree size and epoch, the newest last. */
  readonly seen: readonly SeenCheckpoint[];
  /** Lines or rows that are no checkpoint. */
  readonly passedOver: number;
  /** Why it could not be read; null where it could. */
  readonly failure: string | null;
};

/** So much of the end of a mirror is read. */
const TAIL_BYTES = 256 * 1024;
const MAX_CHECKPOINT_BYTES = 64 * 1024;
const SEEN_ROWS = 1000;
const AGENT_NAME = "the agent's file";
const SEEN_SQL = `SELECT note, seen_ms FROM (${LEDGER_CHECKPOINT_SEEN_SQL}) LIMIT ${SEEN_ROWS}`;

/** What the mirrors and the agent have. Ask before the ledger is read: what it takes in meanwhile is then no contradiction. Throws nothing. */
export function readOutside(paths: StatePaths, mirrors: readonly string[]): readonly OutsideSource[] {
  return [...mirrors.map(readMirror), readAgent(paths)];
}

/** A checkpoint that an operator kept in a file. @throws SentinelError ledger.input saying what is wrong with the file. */
export function readCheckpointFile(path: string): OutsideSource {
  const text = readBounded(path, MAX_CHECKPOINT_BYTES, 'a checkpoint');
  return { kind: 'file', name: path, seen: [{ ...parseCheckpoint(text), seenMs: null }], passedOver: 0, failure: null };
}

/** The text of a small file. @throws SentinelError ledger.input where it cannot be read, or is larger than what it should hold. */
export function readBounded(path: string, maxBytes: number, what: string): string {
  const fail = (why: string, hint: string): SentinelError =>
    new SentinelError('ledger.input', { message: `${path} is not ${what}`, why, hint });
  let bytes: Buffer;
  try {
    bytes = readBytes(path, (size) => (size > maxBytes ? { from: 0, bytes: maxBytes + 1 } : { from: 0, bytes: size }));
  } catch (cause) {
    throw fail(reasonOf(cause), `give a file that this user may read, with ${what} in it`);
  }
  if (bytes.length > maxBytes)
    throw fail(`it is larger than the ${maxBytes} bytes that are read`, `give a file with ${what} and nothing else`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fail('it is not UTF-8 text', `give a file with ${what}, as it was written`);
  }
}

function readMirror(path: string): OutsideSource {
  const source = { kind: 'mirror', name: path } as const;
  try {
    const found = checkpointsIn(readTail(path));
    // procmond begins a mirror anew when it is large; the one before then has the newest.
    const older = `${path}.1`;
    const both = found.seen.length === 0 && existsSync(older) ? checkpointsIn(readTail(older)) : found;
    return { ...source, ...both, failure: null };
  } catch (cause) {
    return { ...source, seen: [], passedOver: 0, failure: reasonOf(cause) };
  }
}

/** Whole lines of the end of a file. */
function readTail(path: string): readonly string[] {
  let isWhole = true;
  const bytes = readBytes(path, (size) => {
    isWhole = size <= TAIL_BYTES;
    return { from: Math.max(0, size - TAIL_BYTES), bytes: Math.min(size, TAIL_BYTES) };
  });
  const lines = bytes.toString('utf8').split('\n');
  return (isWhole ? lines : lines.slice(1)).filter((line) => line !== '');
}

/** A pipe or device could hold the program up for ever, so none is opened to be waited for. */
function readBytes(path: string, partOf: (size: number) => { readonly from: number; readonly bytes: number }): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw new Error('it is no ordinary file');
    const part = partOf(status.size);
    const bytes = Buffer.alloc(part.bytes);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, part.from));
  } finally {
    closeSync(fd);
  }
}

function checkpointsIn(lines: readonly string[]): Pick<OutsideSource, 'seen' | 'passedOver'> {
  const read = lines.map(checkpointOfLine);
  const seen = read.filter((one) => one !== null);
  return { seen: ordered(seen), passedOver: read.length - seen.length };
}

function checkpointOfLine(line: string): SeenCheckpoint | null {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? checkpointOf(textField(value, 'note'), numberField(value, 'seen')) : null;
  } catch {
    return null;
  }
}

function checkpointOf(note: string | null, seenMs: number | null): SeenCheckpoint | null {
  if (note === null || note.length > MAX_NOTE_LENGTH) return null;
  try {
    return { ...parseCheckpoint(note), seenMs };
  } catch (cause) {
    if (cause instanceof SentinelError) return null;
    throw cause;
  }
}

function readAgent(paths: StatePaths): OutsideSource {
  const source = { kind: 'agent', name: AGENT_NAME } as const;
  try {
    const rows = withAgentReader(paths, (reader) => reader.internal(SEEN_SQL));
    const read = rows.map(({ note, seen_ms: seenMs }) =>
      checkpointOf(typeof note === 'string' ? note : null, typeof seenMs === 'number' ? seenMs : null),
    );
    const seen = read.filter((one) => one !== null);
    return { ...source, seen: ordered(seen), passedOver: read.length - seen.length, failure: null };
  } catch (cause) {
    if (!(cause instanceof SentinelError)) throw cause;
    // An agent of an earlier release has no such table.
    const failure = cause.code === 'query.failed' ? 'the agent keeps no checkpoints yet' : messageOf(cause);
    return { ...source, seen: [], passedOver: 0, failure };
  }
}

function ordered(seen: readonly SeenCheckpoint[]): readonly SeenCheckpoint[] {
  return seen.toSorted((a, b) => a.checkpoint.treeSize - b.checkpoint.treeSize || a.checkpoint.epoch - b.checkpoint.epoch);
}
