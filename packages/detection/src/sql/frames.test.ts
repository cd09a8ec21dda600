import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameReader, decodeFrame, encodeFrame, frameOf, MAX_RESULT_BYTES } from './frames.ts';

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    const property = fc.property(
      fc.array(fc.json(), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (texts, sizes) => {
        const values = texts.map((text): unknown => JSON.parse(text));
        const stream = Buffer.concat(values.map((value) => encodeFrame(value)));
        const read: unknown[] = [];
        const frames = createFrameReader(1_000_000, (body) => read.push(decodeFrame(body)));
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          expect(frames.push(stream.subarray(at, at + size))).toBe(true);
          at += size;
        }
        expect(read).toEqual(values);
      },
    );
    fc.assert(property, { seed: 20_260_101, numRuns: 200 });
  });

  it('refuses a length over the cap after four bytes', () => {
    const frames = createFrameReader(100, () => expect.unreachable());
    expect(frames.push(Buffer.from([0, 0, 0]))).toBe(true);
    expect(frames.push(Buffer.from([101]))).toBe(false);
    expect(frames.push(Buffer.alloc(200))).toBe(false);
  });

  it('refuses bytes that are not UTF-8, and text that is not JSON', () => {
    const bodies: Buffer[] = [];
    createFrameReader(100, (body) => bodies.push(Buffer.from(body))).push(
      Buffer.concat([frameOf(Buffer.from([0x22, 0xff, 0x22])), frameOf(Buffer.from('{'))]),
    );
    expect(bodies).toHaveLength(2);
    const [latin = Buffer.alloc(0), half = Buffer.alloc(0)] = bodies;
    expect(() => decodeFrame(latin)).toThrow(TypeError);
    expect(() => decodeFrame(half)).toThrow(SyntaxError);
    expect(() => encodeFrame('x'.repeat(MAX_RESULT_BYTES))).toThrow(RangeError);
  });
});
