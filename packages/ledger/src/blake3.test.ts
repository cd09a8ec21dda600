import { afterEach, describe, expect, it } from 'vitest';
import { blake3, useBlake3 } from './blake3.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
// The first published vector: nothing.
const NOTHING = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

describe('blake3', () => {
  afterEach(() => useBlake3());

  it('is the plain hash', () => {
    expect(hex(blake3(new Uint8Array(0)))).toBe(NOTHING);
  });

  it('takes another implementation', () => {
    useBlake3(() => new Uint8Array(32).fill(1));
    expect(hex(blake3(new Uint8Array(0)))).toBe('01'.repeat(32));
  });
});
