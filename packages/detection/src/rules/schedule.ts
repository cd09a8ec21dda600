/**
 * When a rule is run: over every scan, soon after events, in intervals, or at times of day. A schedule is a text of one line in the rule's file.
 */
import { Cron } from 'croner';
import { messageOf } from '@sentineld/model/error';
import { parseDuration } from '@sentineld/runtime/config/quantity';

export type Schedule =
  | { readonly kind: 'scan' }
  /** Over every scan, and soon after process events were stored. */
  | { readonly kind: 'events' }
  | { readonly kind: 'every'; readonly everyMs: number }
  /** `nextAfter` gives the first time after another one, both in milliseconds since 1970, in the host's time zone. */
  | { readonly kind: 'cron'; readonly nextAfter: (ms: number) => number };

export type ParsedSchedule = { readonly ok: true; readonly schedule: Schedule } | { readonly ok: false; readonly problem: string };

const LEAST_MS = 1_000;
const MOST_MS = 24 * 3_600_000;
const MOST_CHARACTERS = 100;

/** A time far from the changes of summer time: an expression that has none after it has none at all. */
const SOME_TIME_MS = Date.UTC(2024, 0, 1);

/** Reads 'scan', 'events', 'every 5m' or 'cron: 0 3 * * *'. Total: what is none says why, as the end of a sentence. */
export function parseSchedule(text: string): ParsedSchedule {
  const given = text.trim();
  if (given.length > MOST_CHARACTERS) return { ok: false, problem: `it is longer than ${MOST_CHARACTERS}` };
  if (given === 'scan' || given === 'events') return { ok: true, schedule: { kind: given } };
  const every = /^every\s+(.+)$/.exec(given)?.[1];
  if (every !== undefined) return interval(every);
  const cron = /^cron:\s*(.+)$/.exec(given)?.[1];
  if (cron !== undefined) return timesOfDay(cron);
  return { ok: false, problem: 'it is neither "scan" nor "events", nor begins with "every" or "cron:"' };
}

function interval(text: string): ParsedSchedule {
  const everyMs = parseDuration(text);
  if (everyMs === null) return { ok: false, problem: 'the interval is not a number with a unit: s, m or h' };
  if (everyMs < LEAST_MS || everyMs > MOST_MS) return { ok: false, problem: 'the interval is not from 1s to 24h' };
  return { ok: true, schedule: { kind: 'every', everyMs } };
}

function timesOfDay(expression: string): ParsedSchedule {
  // Five fields, as crontab(5) has them: no names such as @daily, and no seconds, which no scan would meet.
  if (expression.split(/\s+/).length !== 5)
    return { ok: false, problem: 'a cron expression has five fields: minute, hour, day, month, weekday' };
  let cron: Cron;
  try {
    cron = new Cron(expression, { mode: '5-part', paused: true });
    if (cron.nextRun(new Date(SOME_TIME_MS)) === null) return { ok: false, problem: 'the cron expression names no time at all' };
  } catch (cause) {
    return { ok: false, problem: `the cron expression cannot be read: ${messageOf(cause)}` };
  }
  const nextAfter = (ms: number): number => cron.nextRun(new Date(ms))?.getTime() ?? Infinity;
  return { ok: true, schedule: { kind: 'cron', nextAfter } };
}
