import { SentinelError } from '@sentineld/model/error';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMoment } from './at-time.ts';

/** A zone whose clocks are put forward and back. */
const zoneBefore = process.env['TZ'];
beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin';
});
afterAll(() => {
  if (zoneBefore === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zoneBefore;
});

/** Saturday 21 November 2026, 15:04:05 in Berlin. */
const NOW = Date.UTC(2026, 10, 21, 14, 4, 5);
const msOf = (text: string): number | null => {
  const moment = parseMoment('at', text, NOW);
  return moment.kind === 'time' ? moment.ms : null;
};
const refusalOf = (text: string): SentinelError | null => {
  try {
    parseMoment('at', text, NOW);
    return null;
  } catch (cause) {
    if (cause instanceof SentinelError) return cause;
    throw cause;
  }
};

describe('parseMoment', () => {
  it.each([
    ['10 min ago', NOW - 600_000],
    ['2h ago', NOW - 7_200_000],
    ['3 days ago', NOW - 259_200_000],
    ['1 Week  ago', NOW - 604_800_000],
    ['0s ago', NOW],
    ['14:05', Date.UTC(2026, 10, 21, 13, 5)],
    ['today 9:05:30', Date.UTC(2026, 10, 21, 8, 5, 30)],
    ['yesterday 14:00', Date.UTC(2026, 10, 20, 13, 0)],
    ['2026-11-21', Date.UTC(2026, 10, 20, 23)],
    ['2026-11-21 15:04', Date.UTC(2026, 10, 21, 14, 4)],
    ['2026-11-21T15:04:05', NOW],
    ['2026-11-21T14:04:05Z', NOW],
    ['2026-11-21T14:04:04.5z', NOW - 500],
    ['2026-11-21 09:04:05 -0500', NOW],
    ['2026-11-21T19:34:05+05:30', NOW],
    // Summer time: an hour earlier in UTC.
    ['2026-07-01 12:00', Date.UTC(2026, 6, 1, 10)],
    // Shown twice when the clocks are put back: the first.
    ['2026-10-25 02:30', Date.UTC(2026, 9, 25, 0, 30)],
    [String(NOW), NOW],
    [`@${NOW}`, NOW],
  ])('takes %j', (text, ms) => {
    expect(msOf(text)).toBe(ms);
  });

  it('takes a scan', () => {
    expect(parseMoment('at', 'scan 123', NOW)).toEqual({ kind: 'scan', id: 123 });
  });

  it.each([
    '',
    'now',
    'soon',
    '10',
    '10 min',
    '10 fortnights ago',
    '-5 min ago',
    '1.5 h ago',
    'yesterday',
    'tomorrow 10:00',
    'last friday',
  ])('refuses %j, with the forms there are', (text) => {
    expect(refusalOf(text)).toMatchObject({
      code: 'usage.invalid',
      message: `--at ${text}: not taken`,
      why: expect.stringContaining("'scan 123'"),
      hint: "write for instance --at '10 min ago'",
    });
  });

  it.each([
    '1763740000',
    '@176374000000012',
    'scan 0',
    'scan -1',
    'scan',
    'scan 1e3',
    '2026-11-21T15',
    '21.11.2026',
    '2026-1-2',
    'x'.repeat(9999),
  ])('refuses %j', (text) => {
    expect(refusalOf(text)).toMatchObject({ code: 'usage.invalid' });
  });

  it.each([
    ['2026-02-30', 'no such day or time'],
    ['2025-02-29 10:00', 'no such day or time'],
    ['2026-13-01', 'no such day or time'],
    ['0001-01-01', 'no such day or time'],
    ['14:60', 'no such day or time'],
    ['24:00', 'no such day or time'],
    ['2026-11-21T14:04:60Z', 'no such day or time'],
    ['2026-03-29 02:30', 'put forward'],
    ['2026-11-21T14:04:05+25:00', 'no time zone +25:00'],
    ['999999999 weeks ago', 'before 1970'],
  ])('says of %j why there is no such time', (text, why) => {
    expect(refusalOf(text)?.why).toContain(why);
  });

  it('refuses what is still to come, and says by how much', () => {
    expect(refusalOf('2026-11-21 18:04:05')).toMatchObject({ why: 'it is in the future, by 3 h' });
    expect(refusalOf('16:00')).toMatchObject({ hint: "did you mean --at 'yesterday 16:00'?" });
  });

  it('gives a moment or a refusal for any text, and every moment is a whole number', () => {
    const words = fc.constantFrom('scan', 'ago', 'today', 'yesterday', ':', '-', 't', 'z', '+', '@', ' ', 'min');
    const texts = fc.oneof(
      fc.string({ maxLength: 70 }),
      fc.array(fc.oneof(words, fc.nat().map(String)), { maxLength: 8 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        if (refusalOf(text) !== null) return;
        const moment = parseMoment('at', text, NOW);
        expect(Number.isSafeInteger(moment.kind === 'time' ? moment.ms : moment.id)).toBe(true);
      }),
    );
  });

  it('reads back every time that it is told in ISO 8601', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: NOW }), (ms) => {
        expect(msOf(new Date(ms).toISOString())).toBe(ms);
      }),
    );
  });
});
