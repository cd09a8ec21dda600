import { describe, expect, it } from 'vitest';
import { parseRule } from './rule-document.ts';
import { parseSchedule } from './schedule.ts';

describe('parseSchedule', () => {
  it('reads scans, intervals and times of day', () => {
    expect(parseSchedule(' scan ')).toEqual({ ok: true, schedule: { kind: 'scan' } });
    for (const [text, everyMs] of [
      ['every 30s', 30_000],
      ['every  5m', 300_000],
      ['every 24h', 86_400_000],
    ] as const)
      expect(parseSchedule(text)).toEqual({ ok: true, schedule: { kind: 'every', everyMs } });
    const parsed = parseSchedule('cron: 15 3 * * *');
    if (!parsed.ok || parsed.schedule.kind !== 'cron') throw new Error('no cron');
    const next = new Date(parsed.schedule.nextAfter(new Date(2026, 0, 2, 3, 15).getTime()));
    expect([next.getFullYear(), next.getMonth(), next.getDate(), next.getHours(), next.getMinutes()]).toEqual([2026, 0, 3, 3, 15]);
  });

  it.each([
    ['', /neither "scan" nor/],
    ['daily', /neither "scan" nor/],
    ['every', /neither "scan" nor/],
    ['every five minutes', /not a number with a unit/],
    ['every 5', /not a number with a unit/],
    ['every 999ms', /not from 1s to 24h/],
    ['every 2d', /not from 1s to 24h/],
    ['cron: 61 * * * *', /cannot be read/],
    ['cron: 0 0 30 2 *', /names no time/],
    ['cron: @daily', /five fields/],
    ['cron: * * * * * *', /five fields/],
    [`cron: ${'* '.repeat(60)}`, /longer than 100/],
  ])('refuses %j', (text, problem) => {
    expect(parseSchedule(text)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });
});

describe('the key schedule', () => {
  const HEAD = 'id: a\nname: A\ndescription: d\nseverity: low\ncategory: test\nversion: 1\nquery: SELECT 1\n';
  const parse = (line: string) => parseRule({ path: '/r/a.yaml', text: HEAD + line, checksum: '' }, 'file');

  it('is kept as it was given, and left out where it says what holds anyway', () => {
    expect(parse('schedule: every 5m')).toMatchObject({ ok: true, rule: { schedule: 'every 5m' } });
    expect(parse('schedule: "cron: 0 3 * * *"')).toMatchObject({ ok: true, rule: { schedule: 'cron: 0 3 * * *' } });
    for (const line of ['', 'schedule: scan']) {
      const parsed = parse(line);
      expect([parsed.ok, parsed.ok && 'schedule' in parsed.rule]).toEqual([true, false]);
    }
  });

  it('is refused with its place, why and what to write', () => {
    expect(parse('schedule: every 5 minutes')).toMatchObject({
      ok: false,
      problems: [
        {
          line: 8,
          column: 11,
          key: 'schedule',
          ruleId: 'a',
          message: '"schedule" is not right: the interval is not a number with a unit: s, m or h',
          hint: expect.stringContaining('"every 5m"'),
        },
      ],
    });
    expect(parse('schedule: {cron: "0 3 * * *"}')).toMatchObject({
      ok: false,
      problems: [{ key: 'schedule', message: expect.stringContaining('not a text') }],
    });
  });
});
