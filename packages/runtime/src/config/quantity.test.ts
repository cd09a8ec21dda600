import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseSize } from './quantity.ts';

describe('parseDuration', () => {
  it.each([
    ['0ms', 0],
    ['500ms', 500],
    ['2s', 2000],
    [' 2 S ', 2000],
    ['1.5s', 1500],
    ['1.001s', 1001],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1.5d', 129_600_000],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    '2',
    '2.',
    '.5s',
    '-1s',
    '+1s',
    '1e3s',
    '2 s s',
    's',
    '2sec',
    '0.1ms',
    '1.0001s',
    '999999999999999d',
    '2constructor',
    '2__proto__',
    '٢s',
    '2s\u0000',
  ])('%j is none', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it('reads what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
    fc.assert(
      fc.property(fc.nat({ max: 10_000 }), fc.constantFrom(1, 1000, 60_000, 3_600_000, 86_400_000), (count, factor) => {
        expect(parseDuration(formatDuration(count * factor))).toBe(count * factor);
      }),
    );
  });

  it('takes every whole number of milliseconds written as seconds', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1e9 }), (ms) => {
        expect(parseDuration(`${(ms / 1000).toFixed(3)}s`)).toBe(ms);
      }),
      { numRuns: 2000 },
    );
  });

  it('gives a safe integer of at least 0, or nothing, for any text', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.tuple(fc.double({ min: 0, noNaN: true }), fc.constantFrom('ms', 's', 'd', 'GiB')).map(([n, unit]) => `${n}${unit}`),
    );
    fc.assert(
      fc.property(text, (written) => {
        for (const parsed of [parseDuration(written), parseSize(written)]) {
          if (parsed !== null) expect(Number.isSafeInteger(parsed) && parsed >= 0).toBe(true);
        }
      }),
    );
  });
});

describe('parseSize', () => {
  it.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['64kb', 64_000],
    ['1.5MiB', 1_572_864],
    ['1GB', 1_000_000_000],
    ['16GiB', 17_179_869_184],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['64', '64K', '64M', '2s', '-1B', '1.5B', '10000000000GiB'])('%j is none', (text) => {
    expect(parseSize(text)).toBeNull();
  });

  it('reads what formatSize writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
    fc.assert(
      fc.property(fc.nat({ max: 4096 }), fc.constantFrom(2 ** 10, 2 ** 20, 2 ** 30), (count, unit) => {
        expect(parseSize(formatSize(count * unit))).toBe(count * unit);
      }),
    );
  });
});

describe('the unit that is written', () => {
  it('is the largest that leaves a whole number', () => {
    expect([0, 1, 999, 1000, 90_000, 7_200_000, 172_800_000].map(formatDuration)).toEqual(['0ms', '1ms', '999ms', '1s', '90s', '2h', '2d']);
    expect([0, 1, 1023, 1024, 1_048_576, 3_221_225_472].map(formatSize)).toEqual(['0B', '1B', '1023B', '1KiB', '1MiB', '3GiB']);
  });
});
