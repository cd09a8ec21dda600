import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { blake3 } from '@noble/hashes/blake3.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadNative, type Native } from './addon.ts';
import { hashCodes, withEachCode } from './fixtures/hash-codes.ts';

const availability = loadNative();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const message = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_byte, at) => (first + at * 7) % 251);
const refused = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
const child = fileURLToPath(new URL('fixtures/hashing-memory-child.ts', import.meta.url));

describe.runIf(availability.available)('hashing for the ledger', () => {
  let native: Native;
  beforeAll(() => {
    if (!availability.available) throw new Error(availability.reason);
    native = availability.native;
  });

  it('can run without any extension of the processor, and takes the fastest code that there is', () => {
    const names = hashCodes(native.hashCalls);
    expect(names[0]).toBe('base');
    expect(native.hashCalls.hashCode()).toBe(names.findLast((name) => name !== undefined));
    expect(native.hashCalls.hashCode(4)).toBeUndefined();
    expect(() => native.hashCalls.hashCode(-1)).toThrow(refused);
  });

  describe('blake3', () => {
    it('is that of another implementation, for every length up to 3,000 bytes and around every border above', () => {
      const long = [4_095, 4_096, 4_097, 8_192, 8_193, 9_216, 9_217, 16_384, 16_385, 31_744, 65_537, 131_072, 262_144, 262_145];
      const lengths = [...Array.from({ length: 3_001 }, (_, length) => length), ...long];
      const messages = lengths.map((length) => message(length));
      const expected = messages.map((bytes) => hex(blake3(bytes)));
      withEachCode(native.hashCalls, (name) => {
        const wrong = lengths.filter((length, at) => hex(native.blake3(messages[at] ?? message(length))) !== expected[at]);
        expect([name, ...wrong]).toEqual([name]);
      });
    });

    it('gives a new array every time, and leaves the message as it was', () => {
      const bytes = message(70);
      const [first, second] = [native.blake3(bytes), native.blake3(message(71))];
      expect([first.length, first.byteOffset, first.buffer === second.buffer]).toEqual([32, 0, false]);
      expect(hex(first)).toBe(hex(blake3(message(70))));
      expect(bytes).toEqual(message(70));
    });

    it('takes a part of a buffer', () => {
      const bytes = message(2_000);
      expect(hex(native.blake3(bytes.subarray(3, 1_500)))).toBe(hex(blake3(bytes.slice(3, 1_500))));
      expect(hex(native.blake3(Buffer.from(bytes.subarray(1, 50))))).toBe(hex(blake3(bytes.slice(1, 50))));
    });

    it('refuses what is no Uint8Array', () => {
      const wrong: unknown[] = [
        undefined,
        null,
        'text',
        [1, 2],
        7,
        new ArrayBuffer(3),
        new Uint16Array(3),
        new DataView(new ArrayBuffer(3)),
      ];
      for (const value of wrong) expect(() => native.blake3(value as Uint8Array)).toThrow(refused);
    });

    it('has the other modes, and as much output as is wanted', () => {
      const bytes = message(3_000);
      const key = message(32, 9);
      for (const size of [1, 31, 32, 33, 64, 65, 131, 1_000]) {
        const out = new Uint8Array(size);
        native.hashCalls.blake3(bytes, out, 0);
        expect(hex(out)).toBe(hex(blake3(bytes, { dkLen: size })));
        native.hashCalls.blake3(bytes, out, 16, key);
        expect(hex(out)).toBe(hex(blake3(bytes, { dkLen: size, key })));
      }
      const derived = new Uint8Array(32);
      native.hashCalls.blake3(Buffer.from('a context'), derived, 32);
      native.hashCalls.blake3(bytes, derived, 64, derived);
      expect(hex(derived)).toBe(hex(blake3(bytes, { context: Buffer.from('a context') })));
    });

    it('refuses modes, keys and outputs that there are not', () => {
      const call = (...rest: readonly unknown[]): unknown => Reflect.apply(native.hashCalls.blake3, undefined, [message(3), ...rest]);
      for (const out of [undefined, new Uint8Array(0), new Uint8Array(65_537), new Uint32Array(8)])
        expect(() => call(out, 0)).toThrow(refused);
      for (const flags of [1, 8, 17, 48, 65, -16, 0.5, Number.NaN, '0'])
        expect(() => call(new Uint8Array(32), flags, message(32))).toThrow(refused);
      for (const key of [undefined, message(31), message(33), new Uint16Array(16)])
        expect(() => call(new Uint8Array(32), 16, key)).toThrow(refused);
    });
  });

  describe('sha256Leaves', () => {
    const lengths = fc.array(fc.oneof(fc.nat(1_024), fc.constantFrom(0, 54, 55, 56, 118, 119, 1_024)), { maxLength: 70 });

    it("is Node's SHA-256 of 00 and each message", () => {
      fc.assert(
        fc.property(lengths, (list) => {
          const parts = list.map((length, at) => message(length + at).subarray(at));
          const ends = Uint32Array.from(list.map((_length, at) => list.slice(0, at + 1).reduce((sum, length) => sum + length, 0)));
          const expected = parts.map((part) => createHash('sha256').update(Buffer.of(0)).update(part).digest('hex'));
          withEachCode(native.hashCalls, () => {
            const out = new Uint8Array(list.length * 32 + 3).fill(0xee);
            native.sha256Leaves(Buffer.concat(parts), ends, out);
            expect(hex(out)).toBe(`${expected.join('')}eeeeee`);
          });
        }),
        { seed: 6, numRuns: 60 },
      );
    });

    it('refuses ends that do not fit, and an output that is too small', () => {
      for (const ends of [[11], [6, 5], [4_294_967_295], [0, 0, 11]])
        expect(() => native.sha256Leaves(message(10), Uint32Array.from(ends), new Uint8Array(96))).toThrow(refused);
      expect(() => native.sha256Leaves(message(1_025), Uint32Array.of(1_025), new Uint8Array(32))).toThrow(refused);
      expect(() => native.sha256Leaves(message(10), Uint32Array.of(5, 10), new Uint8Array(63))).toThrow(refused);
      expect(() => native.sha256Leaves(message(10), new Uint8Array(1) as unknown as Uint32Array, new Uint8Array(63))).toThrow(refused);
      expect(() => native.sha256Leaves('' as unknown as Uint8Array, new Uint32Array(1), new Uint8Array(63))).toThrow(refused);
    });
  });

  describe('sha256Nodes', () => {
    const pairs = fc.integer({ min: 0, max: 70 }).chain((count) => fc.uint8Array({ minLength: count * 64, maxLength: count * 64 }));
    const nodesOf = (children: Uint8Array): string[] =>
      Array.from({ length: children.length / 64 }, (_, at) =>
        createHash('sha256')
          .update(Buffer.of(1))
          .update(children.subarray(at * 64, at * 64 + 64))
          .digest('hex'),
      );

    it("is Node's SHA-256 of 01 and both children", () => {
      fc.assert(
        fc.property(pairs, (children) => {
          withEachCode(native.hashCalls, () => {
            const out = new Uint8Array(children.length / 2 + 3).fill(0xee);
            native.sha256Nodes(children, out);
            expect(hex(out)).toBe(`${nodesOf(children).join('')}eeeeee`);
          });
        }),
        { seed: 5, numRuns: 60 },
      );
    });

    it('may write over its children', () => {
      const children = message(64 * 100);
      const expected = nodesOf(children).join('');
      native.sha256Nodes(children, children);
      expect(hex(children.subarray(0, 3_200))).toBe(expected);
    });

    it('refuses halves, and an output that is too small', () => {
      expect(() => native.sha256Nodes(message(65), new Uint8Array(64))).toThrow(refused);
      expect(() => native.sha256Nodes(message(128), new Uint8Array(63))).toThrow(refused);
      expect(() => native.sha256Nodes('' as unknown as Uint8Array, new Uint8Array(63))).toThrow(refused);
      expect(() => native.sha256Nodes(message(128), new Float64Array(9) as unknown as Uint8Array)).toThrow(refused);
    });
  });

  it('keeps no memory', () => {
    const { growthKiB } = JSON.parse(execFileSync(process.execPath, [child], { encoding: 'utf8' })) as { growthKiB: number };
    expect(growthKiB).toBeLessThan(12_288);
  });
});
