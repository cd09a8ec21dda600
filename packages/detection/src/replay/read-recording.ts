/**
 * Reads a recording of execs, one JSON object a line, as a stream: neither a line nor the whole can grow without
 * bound, and the first line that is no event ends it with its place.
 */
import { createReadStream } from 'node:fs';
import { SentinelError, reasonOf } from '@sentineld/model/error';
import { parseRecordedEvent, type RecordedEvent } from './recorded-event.ts';

export type RecordingBounds = { readonly maxLineBytes: number; readonly maxBytes: number; readonly maxEvents: number };

/** A rule looks at 100,000 events at most in one go; so does a replay, whose rules see all of them at once. */
const DEFAULT_RECORDING_BOUNDS: RecordingBounds = {
  maxLineBytes: 1024 * 1024,
  maxBytes: 256 * 1024 * 1024,
  maxEvents: 100_000,
};

const LINE_FEED = 0x0a;
const DOCUMENT = 'docs/rules.md has the keys of an event';

export type ReadRecordingOptions = {
  readonly bounds?: Partial<RecordingBounds>;
  /** Told how many bytes are read. */
  readonly step?: (bytes: number) => void;
};

/**
 * The events in the order of the lines; empty lines are passed over. Throws 'usage.invalid' for a file that cannot be
 * read, for a line that is no event, and for a recording without events or beyond the bounds.
 */
export async function readRecording(path: string, { bounds, step }: ReadRecordingOptions = {}): Promise<readonly RecordedEvent[]> {
  const { maxLineBytes, maxBytes, maxEvents } = { ...DEFAULT_RECORDING_BOUNDS, ...bounds };
  const events: RecordedEvent[] = [];
  let bytes = 0;
  for await (const { number, content } of linesOf(path, maxLineBytes)) {
    bytes += content.length + 1;
    step?.(bytes);
    if (bytes > maxBytes) throw tooLarge(path, `it is larger than ${maxBytes} bytes`);
    const line = decode(content, path, number).replace(/\r$/, '');
    if (line.trim() === '') continue;
    if (events.length >= maxEvents) throw tooLarge(path, `it has more than ${maxEvents} events`);
    const parsed = parseRecordedEvent(line, number);
    if (!parsed.ok) throw badLine(path, number, parsed.key, parsed.why);
    events.push(parsed.event);
  }
  if (events.length > 0) return events;
  throw new SentinelError('usage.invalid', { message: `${path} holds no event`, why: 'every line of it is empty', hint: DOCUMENT });
}

type Line = { readonly number: number; readonly content: Uint8Array };

/** Lines without their line feeds; at most one is held. */
async function* linesOf(path: string, maxLineBytes: number): AsyncGenerator<Line> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let number = 1;
  const take = (piece: Uint8Array): void => {
    pendingBytes += piece.length;
    if (pendingBytes > maxLineBytes) throw badLine(path, number, null, `it is longer than ${maxLineBytes} bytes`);
    pending.push(piece);
  };
  const finish = (): Line => {
    const content = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    return { number: number++, content };
  };
  for await (const chunk of chunksOf(path)) {
    let at = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, at)) {
      take(chunk.subarray(at, end));
      yield finish();
      at = end + 1;
    }
    if (at < chunk.length) take(chunk.subarray(at));
  }
  if (pendingBytes > 0) yield finish();
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const stream: AsyncIterable<Buffer> = createReadStream(path);
  const iterator = stream[Symbol.asyncIterator]();
  try {
    for (let next = await nextOf(iterator, path); next.done !== true; next = await nextOf(iterator, path)) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

async function nextOf(iterator: AsyncIterator<Buffer>, path: string): Promise<IteratorResult<Buffer>> {
  try {
    return await iterator.next();
  } catch (cause) {
    const hint = 'give a file of recorded events, one JSON object a line';
    throw new SentinelError('usage.invalid', { message: `${path} cannot be read`, why: reasonOf(cause), hint, cause });
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function decode(content: Uint8Array, path: string, line: number): string {
  try {
    return decoder.decode(content);
  } catch {
    throw badLine(path, line, null, 'it is not UTF-8 text');
  }
}

function badLine(path: string, line: number, key: string | null, why: string): SentinelError {
  const what = key === null ? 'this line is no event' : `${key} is not taken`;
  return new SentinelError('usage.invalid', {
    message: `${path}:${line}: ${what}`,
    why,
    hint: `mend the line or take it out; ${DOCUMENT}`,
    context: { file: path, line, key },
  });
}

function tooLarge(path: string, why: string): SentinelError {
  return new SentinelError('usage.invalid', { message: `${path} is too large`, why, hint: 'split it, and replay the parts one by one' });
}
