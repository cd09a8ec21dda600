import { blake3 as noble } from '@noble/hashes/blake3.js';
import { afterEach, describe, expect, it } from 'vitest';
import { blake3, useBlake3, useNativeBlake3 } from './blake3.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
// The first published vector: nothing.
const NOTHING = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

describe('blake3', () => {
  afterEach(() => useBlake3(noble));

  it('is the plain hash', () => {
    expect(hex(blake3(new Uint8Array(0)))).toBe(NOTHING);
  });

  it('takes another implementation', () => {
    useBlake3(() => new Uint8Array(32).fill(1));
    expect(hex(blake3(new Uint8Array(0)))).toBe('01'.repeat(32));
  });

  it("takes an addon's where it agrees", () => {
    const lengths: number[] = [];
    const native = (bytes: Uint8Array): Uint8Array => {
      lengths.push(bytes.length);
      return noble(bytes);
    };
    expect(useNativeBlake3({ available: true, native: { blake3: native } })).toBe('native');
    expect(Math.max(...lengths)).toBeGreaterThan(2_048);
    lengths.length = 0;
    expect(hex(blake3(new Uint8Array(0)))).toBe(NOTHING);
    expect(lengths).toEqual([0]);
  });

  it('stays with JavaScript without an addon, and with one that is wrong', () => {
    useBlake3(() => new Uint8Array(32));
    expect(useNativeBlake3({ available: false })).toBe('javascript');
    expect(hex(blake3(new Uint8Array(0)))).toBe(NOTHING);
    // Wrong behind the first chunk alone, and cut off.
    const wrongAtLength = (bytes: Uint8Array): Uint8Array => noble(bytes.subarray(0, 1_024));
    expect(useNativeBlake3({ available: true, native: { blake3: wrongAtLength } })).toBe('javascript');
    expect(useNativeBlake3({ available: true, native: { blake3: (bytes) => noble(bytes).subarray(0, 31) } })).toBe('javascript');
    expect(hex(blake3(new Uint8Array(0)))).toBe(NOTHING);
  });
});
