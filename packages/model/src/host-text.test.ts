import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHostBytes, decodeHostLatin1, displayHostText, encodeHostText } from './host-text.ts';

describe('decodeHostBytes', () => {
  it('gives back every byte string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(encodeHostText(decodeHostBytes(bytes))).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('gives back valid text unchanged, the escape range and a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 32 }), (text) => {
        const bytes = new TextEncoder().encode(text);
        expect(encodeHostText(decodeHostBytes(bytes))).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
    expect(decodeHostBytes(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\uFEFFa');
    expect(decodeHostBytes(new TextEncoder().encode('\u{10FF80}'))).toBe('\u{10FFF4}\u{10FF8F}\u{10FFBE}\u{10FF80}');
  });

  it('has one result for one input: different bytes never decode alike', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
        fc.pre(Buffer.compare(a, b) !== 0);
        expect(decodeHostBytes(a)).not.toBe(decodeHostBytes(b));
      }),
    );
  });
});

describe('decodeHostLatin1', () => {
  it('says what decodeHostBytes says of the same bytes', () => {
    const some = fc.oneof(fc.uint8Array({ maxLength: 32 }), fc.uint8Array({ max: 0x7f, maxLength: 32 }));
    fc.assert(
      fc.property(some, (bytes) => {
        expect(decodeHostLatin1(Buffer.from(bytes).toString('latin1'))).toBe(decodeHostBytes(bytes));
      }),
    );
  });
});

describe('displayHostText', () => {
  it('leaves nothing that moves a cursor or turns the reading direction', () => {
    expect(displayHostText('a\u001b[2Jb\u202Ec\n')).toBe('a\\x1b[2Jb\\u{202e}c\\n');
    expect(displayHostText(decodeHostBytes(Uint8Array.of(0x66, 0xff)))).toBe('f\\xff');
    expect(displayHostText('Grüße 日本')).toBe('Grüße 日本');
  });
});
