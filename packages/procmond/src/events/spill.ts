/**
 * Events on disk until there is room for them: segment files that are only appended to, read back in order and removed
 * once all of their events were stored. What was written survives the end of this process at any moment, not the loss
 * of power, with which the newest may go: nothing is synced. At least once: after a crash the batch whose confirmation
 * was not written is read again, unless the store says what it has. What is damaged is skipped and counted, and no failure of the disk is thrown later on.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError, messageOf, reasonOf } from '@sentineld/model/error';
import type { ProcessEvent } from '@sentineld/model/process-event';
import { findSegments, prepareDirectory, segmentPath, type Segment } from './spill-directory.ts';
import { openSpillCursor, type SpillCursor } from './spill-cursor.ts';
import { MAX_RECORD_BYTES, encodeRecord, type SpilledEvent } from './spill-record.ts';
import { createSegment, openSegment, type SegmentReader, type SegmentWriter } from './spill-segment.ts';

export type SpillProblem = {
  readonly kind: 'limit' | 'write' | 'read' | 'damaged';
  readonly message: string;
};

export type SpillOptions = {
  /** Made where it is missing; it must belong to this user alone. */
  readonly directory: string;
  /** Bytes of all files at most. */
  readonly limitBytes: number;
  /** The newest number that the store has, where it keeps one in the transaction of the events: then none is stored twice. */
  readonly storedUpTo?: number | null;
  /** Told once of each kind, and again only after that kind of work succeeded. */
  readonly onProblem: (problem: SpillProblem) => void;
};

export type SpillCounts = {
  /** Events written in this run. */
  readonly written: number;
  /** Events that were not written: the limit, or the disk. */
  readonly refused: number;
  /** Events that were written and cannot be read back, a last one that was torn by a crash included. */
  readonly damaged: number;
  readonly damagedBytes: number;
  /** Size of all files now. */
  readonly bytes: number;
};

export type SpillFiles = {
  /** False where the event was not written. */
  readonly append: (event: ProcessEvent) => boolean;
  /** The next events, `max` at most. Each is given once in a run. */
  readonly read: (max: number) => readonly SpilledEvent[];
  /** All events up to this number are stored. */
  readonly confirm: (sequence: number) => void;
  /** Events that were written and not read. */
  readonly waiting: () => number;
  readonly counts: () => SpillCounts;
  readonly close: () => void;
};

const SEGMENT_BYTES = 1024 * 1024;
const FILE_MODE = 0o640;

type State = {
  readonly options: SpillOptions;
  readonly segmentBytes: number;
  readonly segments: Segment[];
  /** Size of all of them. */
  bytes: number;
  readonly cursor: SpillCursor;
  writer: SegmentWriter | null;
  reader: { readonly of: Segment; readonly file: SegmentReader } | null;
  /** Number of the next event to be written, of the next to be read, and of the first that is not known to be stored. */
  nextToWrite: number;
  nextToRead: number;
  unconfirmed: number;
  lastRead: number;
  readonly told: Set<SpillProblem['kind']>;
  readonly sums: { written: number; refused: number; damaged: number; damagedBytes: number };
};

/** @throws SentinelError state.unusable where the directory cannot be made or read, or others can write to it. */
export function openSpill(options: SpillOptions): SpillFiles {
  const state = openState(options);
  return {
    append: (event) => append(state, event),
    read: (max) => read(state, max),
    confirm: (sequence) => {
      state.unconfirmed = Math.max(state.unconfirmed, sequence + 1);
      settle(state);
    },
    waiting: () => state.nextToWrite - state.nextToRead,
    counts: () => ({ ...state.sums, bytes: state.bytes }),
    close: () => {
      state.writer?.close();
      state.reader?.file.close();
      state.cursor.close();
    },
  };
}

function openState(options: SpillOptions): State {
  const { directory, limitBytes } = options;
  try {
    prepareDirectory(directory);
    const segments = findSegments(directory);
    const cursor = openSpillCursor(join(directory, 'cursor'), FILE_MODE);
    const newest = segments.at(-1);
    const notStored = Math.max(cursor.start ?? 1, (options.storedUpTo ?? 0) + 1);
    const nextToWrite = Math.max(newest === undefined ? 1 : endOfSegment(newest), notStored);
    const nextToRead = Math.min(nextToWrite, Math.max(segments[0]?.first ?? nextToWrite, notStored));
    const state: State = {
      options,
      segmentBytes: Math.min(SEGMENT_BYTES, Math.ceil(limitBytes / 16)),
      segments,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      cursor,
      writer: null,
      reader: null,
      nextToWrite,
      nextToRead,
      unconfirmed: nextToRead,
      lastRead: 0,
      told: new Set(),
      sums: { written: 0, refused: 0, damaged: 0, damagedBytes: 0 },
    };
    if (cursor.isDamaged) tell(state, 'damaged', `${directory}/cursor is damaged: events may be stored a second time`);
    // Written now so that it has its place when the disk is full.
    settle(state);
    return state;
  } catch (cause) {
    if (cause instanceof SentinelError) throw cause;
    const message = `the spill files in ${directory} cannot be used`;
    throw new SentinelError('state.unusable', { message, why: reasonOf(cause), cause, context: { path: directory } });
  }
}

/** The number after the newest event of a segment; what is damaged at its end counts as events. */
function endOfSegment(segment: Segment): number {
  const file = openSegment(segment.path);
  let end = segment.first;
  try {
    for (let line = file.next(); line !== null; line = file.next()) end = line.record === null ? end + 1 : line.record.sequence + 1;
  } finally {
    file.close();
  }
  return end;
}

function append(state: State, event: ProcessEvent): boolean {
  const record = encodeRecord({ sequence: state.nextToWrite, event });
  if (state.bytes + record.length > state.options.limitBytes || record.length > MAX_RECORD_BYTES) {
    state.sums.refused++;
    tell(state, 'limit', `the spill files have their ${state.options.limitBytes} bytes: events are dropped`);
    return false;
  }
  try {
    const segment = segmentToWrite(state);
    state.writer?.append(record);
    segment.bytes += record.length;
    state.bytes += record.length;
  } catch (cause) {
    tell(state, 'write', `events are dropped, they cannot be written to ${state.options.directory}: ${reasonOf(cause)}`);
    if (state.writer?.isUsable() !== false) {
      state.sums.refused++;
      return false;
    }
    // Part of it stays in the file, and is counted as damaged when that is read.
    state.nextToWrite++;
    return true;
  }
  state.nextToWrite++;
  state.sums.written++;
  state.told.delete('limit');
  state.told.delete('write');
  return true;
}

/** The newest segment, or a new one where that is full or of another run. */
function segmentToWrite(state: State): Segment {
  const newest = state.segments.at(-1);
  if (newest !== undefined && state.writer?.isUsable() === true && newest.bytes < state.segmentBytes) return newest;
  state.writer?.close();
  state.writer = null;
  const segment = { first: state.nextToWrite, path: segmentPath(state.options.directory, state.nextToWrite), bytes: 0 };
  state.writer = createSegment(segment.path, FILE_MODE);
  state.segments.push(segment);
  return segment;
}

function read(state: State, max: number): readonly SpilledEvent[] {
  const events: SpilledEvent[] = [];
  while (events.length < max && state.nextToRead < state.nextToWrite) {
    const record = nextOf(state);
    if (record === null) continue;
    events.push(record);
    state.lastRead = record.sequence;
  }
  // Nothing but damage was left, and nobody will confirm that.
  if (events.length === 0 && state.nextToRead > state.unconfirmed) settle(state);
  return events;
}

/** The next event, or null after something that is none. Each call comes nearer to the end. */
function nextOf(state: State): SpilledEvent | null {
  const at = state.segments.findLastIndex(({ first }) => first <= state.nextToRead);
  const segment = state.segments[at];
  const end = state.segments[at + 1]?.first ?? state.nextToWrite;
  if (segment === undefined) return lose(state, state.segments[0]?.first ?? state.nextToWrite);
  try {
    const line = readerOf(state, segment).next();
    if (line === null) return lose(state, end);
    const { record, bytes } = line;
    // An older one was stored before: reading begins at the start of a file.
    if (record !== null && record.sequence < state.nextToRead) return null;
    if (record === null || record.sequence >= end) {
      state.sums.damagedBytes += bytes;
      tell(state, 'damaged', `${segment.path} is damaged: ${bytes} bytes of it are no event`);
      return null;
    }
    if (record.sequence > state.nextToRead) lose(state, record.sequence);
    state.nextToRead++;
    return record;
  } catch (cause) {
    tell(state, 'read', `${segment.path} cannot be read: ${messageOf(cause)}`);
    return lose(state, end);
  }
}

function readerOf(state: State, segment: Segment): SegmentReader {
  if (state.reader?.of === segment) return state.reader.file;
  state.reader?.file.close();
  state.reader = null;
  state.reader = { of: segment, file: openSegment(segment.path) };
  return state.reader.file;
}

/** The events before `next` cannot be read. */
function lose(state: State, next: number): null {
  state.sums.damaged += next - state.nextToRead;
  state.nextToRead = next;
  return null;
}

/** Writes down what is stored, and removes the files that nothing is left in. */
function settle(state: State): void {
  // All that was read is stored: what was damaged behind it is done with too.
  if (state.lastRead < state.unconfirmed) state.unconfirmed = state.nextToRead;
  try {
    state.cursor.write(state.unconfirmed);
  } catch (cause) {
    tell(state, 'write', `which spilled events are stored cannot be written down: ${reasonOf(cause)}`);
  }
  removeStored(state);
}

function removeStored(state: State): void {
  for (let segment = state.segments[0]; segment !== undefined; segment = state.segments[0]) {
    const end = state.segments[1]?.first ?? state.nextToWrite;
    if (end > state.unconfirmed) return;
    if (state.segments.length === 1) {
      state.writer?.close();
      state.writer = null;
    }
    if (state.reader?.of === segment) {
      state.reader.file.close();
      state.reader = null;
    }
    state.segments.shift();
    state.bytes -= segment.bytes;
    rmSync(segment.path, { force: true });
  }
}

function tell(state: State, kind: SpillProblem['kind'], message: string): void {
  if (state.told.has(kind)) return;
  state.told.add(kind);
  state.options.onProblem({ kind, message });
}
