import { MAX_FRAME_BYTES } from '@sentineld/model/request';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameReader, encodeFrame, type FrameProblem } from './frame.ts';

/** Pushes chunks until one is a problem; what was read before it, and which chunk it was. */
function read(chunks: readonly Buffer[]): {
  readonly values: unknown[];
  readonly problem: FrameProblem | null;
  readonly chunk: number;
  readonly partial: boolean;
} {
  const values: unknown[] = [];
  const reader = createFrameReader((value) => values.push(value));
  for (const [chunk, bytes] of chunks.entries()) {
    const problem = reader.push(bytes);
    if (problem !== null) return { values, problem, chunk, partial: reader.isPartial() };
  }
  return { values, problem: null, chunk: chunks.length, partial: reader.isPartial() };
}

/** Cuts bytes at the places given, in any order. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

const header = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};
const frame = (body: Buffer | string): Buffer => Buffer.concat([header(Buffer.byteLength(body)), Buffer.from(body as string)]);

describe('a frame', () => {
  it('is read as it was written, however it is cut', () => {
    const value = fc.jsonValue().filter((json) => !JSON.stringify(json).includes('-0'));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 20 }), (values, places) => {
        const bytes = Buffer.concat(values.map(encodeFrame));
        const written: unknown = JSON.parse(JSON.stringify(values));
        expect(read(cut(bytes, places))).toMatchObject({ values: written, problem: null, partial: false });
      }),
    );
  });

  it('is read byte by byte, any text included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        const bytes = encodeFrame({ text });
        const { values, problem } = read([...bytes].map((byte) => Buffer.of(byte)));
        expect([values, problem]).toEqual([[{ text: text.toWellFormed() === text ? text : JSON.parse(JSON.stringify(text)) }], null]);
      }),
    );
  });

  it('may be 64 KiB and no byte longer', () => {
    const text = 'x'.repeat(MAX_FRAME_BYTES - 2);
    expect(encodeFrame(text)).toHaveLength(MAX_FRAME_BYTES + 4);
    expect(read([encodeFrame(text)]).values).toEqual([text]);
    expect(() => encodeFrame(`${text}x`)).toThrow(RangeError);
    expect(() => encodeFrame('ü'.repeat(MAX_FRAME_BYTES / 2))).toThrow(RangeError);
  });

  it('is not made of what JSON does not have', () => {
    expect(() => encodeFrame(undefined)).toThrow(TypeError);
    expect(() => encodeFrame(1n)).toThrow(TypeError);
  });
});

describe('what is no frame', () => {
  it.each<[string, FrameProblem, Buffer]>([
    ['a length over the limit', 'oversize', header(MAX_FRAME_BYTES + 1)],
    ['the largest length', 'oversize', header(0xffff_ffff)],
    ['text', 'oversize', Buffer.from('GET / HTTP/1.1\r\n')],
    ['no length', 'empty', header(0)],
    ['bytes that are not UTF-8', 'not_utf8', frame(Buffer.of(0x22, 0xff, 0x22))],
    ['a surrogate', 'not_utf8', frame(Buffer.of(0x22, 0xed, 0xa0, 0x80, 0x22))],
    ['a cut sequence', 'not_utf8', frame(Buffer.of(0x22, 0xc3))],
    ['a word', 'not_json', frame('health')],
    ['two values', 'not_json', frame('1 2')],
    ['half a value', 'not_json', frame('{"a":')],
    ['a NUL', 'not_json', frame('\0')],
    ['brackets without end', 'not_json', frame('['.repeat(60_000))],
  ])('%s is %s', (_what, problem, bytes) => {
    expect(read([encodeFrame('before'), bytes])).toEqual({ values: ['before'], problem, chunk: 1, partial: expect.any(Boolean) });
  });

  it('is told once four bytes have come, though none of the body has', () => {
    const bytes = header(MAX_FRAME_BYTES + 1);
    expect(read([...bytes].map((byte) => Buffer.of(byte)))).toMatchObject({ problem: 'oversize', chunk: 3 });
  });

  it('is told behind frames that are well, and nothing behind it is read', () => {
    const bytes = Buffer.concat([encodeFrame(1), encodeFrame(2), header(0), encodeFrame(3)]);
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (places) => {
        expect(read(cut(bytes, places))).toMatchObject({ values: [1, 2], problem: 'empty' });
      }),
    );
  });

  it('never throws, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), fc.nat({ max: 40 }), (chunks, length) => {
        expect(() => read([header(length), ...chunks.map((chunk) => Buffer.from(chunk))])).not.toThrow();
      }),
    );
  });
});

describe('isPartial', () => {
  it('is true from the first byte of a frame to its last', () => {
    const bytes = encodeFrame({ a: 1 });
    const reader = createFrameReader(() => undefined);
    expect(reader.isPartial()).toBe(false);
    for (let at = 0; at < bytes.length; at++) {
      reader.push(bytes.subarray(at, at + 1));
      expect(reader.isPartial()).toBe(at < bytes.length - 1);
    }
  });
});
