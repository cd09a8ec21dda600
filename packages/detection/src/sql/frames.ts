/**
 * Frames between the agent, the spawner and an executor: u32 big-endian length, then that many bytes of UTF-8 JSON.
 * The executor may have been taken over by a statement, so a reader takes no length beyond its cap and no other bytes.
 */

const HEADER_BYTES = 4;

/** Largest result; a result is capped in rows and bytes long before this. */
export const MAX_RESULT_BYTES: number = 16 * 1024 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A value as a frame. Throws RangeError beyond MAX_RESULT_BYTES. */
export function encodeFrame(value: unknown): Buffer {
  return frameOf(Buffer.from(JSON.stringify(value), 'utf8'));
}

/** Bytes that are JSON already as a frame. */
export function frameOf(body: Uint8Array): Buffer {
  if (body.length > MAX_RESULT_BYTES) throw new RangeError(`A frame of ${body.length} bytes is larger than ${MAX_RESULT_BYTES}`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** The JSON of a frame. Throws TypeError for bytes that are not UTF-8, SyntaxError for text that is not JSON. */
export function decodeFrame(body: Uint8Array): unknown {
  const value: unknown = JSON.parse(decoder.decode(body));
  return value;
}

export type FrameReader = {
  /** Takes bytes as they come and calls back per frame. False once a length was over the cap: then nothing more is read. */
  readonly push: (bytes: Uint8Array) => boolean;
};

/** Cuts a stream into frame bodies; keeps one frame at most. */
export function createFrameReader(maxBytes: number, onBody: (body: Buffer) => void): FrameReader {
  let chunks: Uint8Array[] = [];
  let held = 0;
  let wanted = HEADER_BYTES;
  let isBody = false;
  let failed = false;
  const take = (): void => {
    const all =
      chunks.length === 1 && chunks[0] !== undefined
        ? Buffer.from(chunks[0].buffer, chunks[0].byteOffset, chunks[0].byteLength)
        : Buffer.concat(chunks);
    const part = all.subarray(0, wanted);
    chunks = all.length > wanted ? [all.subarray(wanted)] : [];
    held -= wanted;
    if (isBody) {
      [isBody, wanted] = [false, HEADER_BYTES];
      onBody(part);
      return;
    }
    [isBody, wanted] = [true, part.readUInt32BE(0)];
    failed = wanted > maxBytes;
  };
  const push = (bytes: Uint8Array): boolean => {
    chunks.push(bytes);
    held += bytes.length;
    while (!failed && held >= wanted) take();
    return !failed;
  };
  return { push };
}
