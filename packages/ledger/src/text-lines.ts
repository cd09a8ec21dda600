/**
 * Lines of a text that comes in pieces, each bounded before it is put together, so that no file can fill the memory.
 */
import type { Refuse } from './json-members.ts';

export type TextLine = { readonly number: number; readonly text: string };

const LINE_FEED = 0x0a;

/**
 * The lines without their line feeds, numbered from 1; the last may lack its own. At most one line is held.
 * @throws what `refuse` makes, for a line of more than `maxBytes` and for one that is not UTF-8.
 */
export function* textLines(chunks: Iterable<Uint8Array>, maxBytes: number, refuse: Refuse): Generator<TextLine, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let number = 1;
  const take = (piece: Uint8Array): void => {
    pendingBytes += piece.length;
    if (pendingBytes > maxBytes) throw refuse(`line ${number} is longer than ${maxBytes} bytes`);
    pending.push(piece);
  };
  const finish = (): TextLine => {
    const bytes = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    return { number: number++, text: decode(bytes, number - 1, refuse) };
  };
  for (const chunk of chunks) {
    let at = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, at)) {
      take(chunk.subarray(at, end));
      yield finish();
      at = end + 1;
    }
    // The chunk may be filled anew while the line waits for its end.
    if (at < chunk.length) take(chunk.slice(at));
  }
  if (pendingBytes > 0) yield finish();
}

/** Keeps a byte order mark, which no line of JSON begins with. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array, number: number, refuse: Refuse): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw refuse(`line ${number} is not UTF-8 text`);
  }
}
