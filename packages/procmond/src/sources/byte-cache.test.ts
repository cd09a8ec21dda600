import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createByteCache } from './byte-cache.ts';

/** A cache that makes an object of the text, and counts how often. */
function counting(limitBytes: number) {
  let made = 0;
  const find = createByteCache(limitBytes, (bytes) => ({ text: bytes.toString('latin1'), number: ++made }));
  const text = (value: string) => {
    const bytes = Buffer.from(`<${value}>`, 'latin1');
    return find(bytes, 1, bytes.length - 1);
  };
  return { text, made: () => made };
}

describe('createByteCache', () => {
  it('makes the same object of the same bytes, wherever they are', () => {
    const { text, made } = counting(10_000);
    const [a, b, none] = [text('/bin/a'), text('/bin/b'), text('')];
    for (let round = 0; round < 3; round++) expect([text('/bin/a'), text('/bin/b'), text('')]).toEqual([a, b, none]);
    expect([text('/bin/a') === a, text('/bin/b') === b, text('') === none, made()]).toEqual([true, true, true, 3]);
  });

  it('keeps its own copy of the bytes', () => {
    const bytes = Buffer.from('abc');
    const find = createByteCache(1000, (own) => own);
    const kept = find(bytes, 0, 3);
    bytes.fill('x');
    expect(kept.toString()).toBe('abc');
    expect(find(Buffer.from('abc'), 0, 3)).toBe(kept);
  });

  it('never gives what was made of other bytes', () => {
    const short = fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 50 });
    fc.assert(
      fc.property(short, fc.integer({ min: 0, max: 1000 }), (list, limitBytes) => {
        const { text } = counting(limitBytes);
        for (const bytes of list) expect(text(Buffer.from(bytes).toString('latin1')).text).toBe(Buffer.from(bytes).toString('latin1'));
      }),
    );
  });

  it('tells two texts with one hash apart', () => {
    // Both have the FNV-1a hash 0x5e4daa9d.
    const { text } = counting(10_000);
    expect([text('costarring').text, text('liquid').text, text('costarring').text]).toEqual(['costarring', 'liquid', 'costarring']);
  });

  it('forgets everything rather than keep more than its limit', () => {
    const { text, made } = counting(1000);
    const first = text('first');
    for (let i = 0; i < 20; i++) text(`another ${i}`);
    expect(text('first')).not.toBe(first);
    expect(made()).toBe(22);
  });
});
