/**
 * Frames on a Unix socket: u32 big-endian length, then that many bytes of UTF-8 JSON. The peer is hostile: the length
 * is checked before anything is kept, bytes that are not UTF-8 or not JSON end the connection.
 */
import { MAX_FRAME_BYTES } from '@sentineld/model/request';

const HEADER_BYTES = 4;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** One value as a frame. Throws RangeError where it is larger than a frame may be. */
export function encodeFrame(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  if (body.length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${body.length} bytes is larger than ${MAX_FRAME_BYTES}`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

export type FrameProblem = 'oversize' | 'empty' | 'not_utf8' | 'not_json';

export type FrameReader = {
  /** Takes bytes as they come; calls `onValue` per frame. Returns a problem, after which nothing more may be pushed. */
  readonly push: (bytes: Buffer) => FrameProblem | null;
  /** True while part of a frame is waiting for the rest. */
  readonly isPartial: () => boolean;
};

/** A reader that keeps at most one frame and one chunk in memory. */
export function createFrameReader(onValue: (value: unknown) => void): FrameReader {
  let pending: Buffer = Buffer.alloc(0);
  const push = (bytes: Buffer): FrameProblem | null => {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
    while (pending.length >= HEADER_BYTES) {
      const length = pending.readUInt32BE(0);
      if (length > MAX_FRAME_BYTES) return 'oversize';
      if (length === 0) return 'empty';
      if (pending.length < HEADER_BYTES + length) return null;
      const body = pending.subarray(HEADER_BYTES, HEADER_BYTES + length);
      pending = pending.subarray(HEADER_BYTES + length);
      const value = decode(body);
      if ('problem' in value) return value.problem;
      onValue(value.json);
    }
    return null;
  };
  return { push, isPartial: () => pending.length > 0 };
}

function decode(body: Buffer): { readonly json: unknown } | { readonly problem: FrameProblem } {
  let text: string;
  try {
    text = decoder.decode(body);
  } catch {
    return { problem: 'not_utf8' };
  }
  try {
    const json: unknown = JSON.parse(text);
    return { json };
  } catch {
    return { problem: 'not_json' };
  }
}
