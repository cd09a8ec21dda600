/**
 * A moment as an operator writes it: how long ago, a time of day, a date, milliseconds since 1970, or a scan. Strict:
 * what is not exactly one of the forms is refused, nothing is guessed. Local time is that of whoever asks.
 */
import { SentinelError } from '@sentineld/model/error';
import { roughDuration } from './output/times.ts';

export type Moment = { readonly kind: 'time'; readonly ms: number } | { readonly kind: 'scan'; readonly id: number };

/** What a text that has the form of a time says; a reason where no clock ever showed that. */
type Read = Moment | { readonly kind: 'impossible'; readonly why: string };

export const MOMENT_FORMS =
  "'10 min ago', 14:05, 'yesterday 14:05', '2026-11-21 15:04:05', 2026-11-21T15:04:05Z, ms since 1970 (13 digits) or 'scan 123'";

const MAX_LENGTH = 64;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A day or a week ago is so many hours ago, whatever the clocks did meanwhile. */
const MS_BY_UNIT: Readonly<Record<string, number>> = {
  ...named(['s', 'sec', 'secs', 'second', 'seconds'], 1000),
  ...named(['m', 'min', 'mins', 'minute', 'minutes'], MINUTE_MS),
  ...named(['h', 'hour', 'hours'], HOUR_MS),
  ...named(['d', 'day', 'days'], DAY_MS),
  ...named(['w', 'week', 'weeks'], 7 * DAY_MS),
};

const NO_SUCH_TIME = 'there is no such day or time';
const SKIPPED = 'the clocks of this time zone never showed it: they were put forward then';

/** The moment that `text`, the value of --NAME, stands for. Throws 'usage.invalid' for anything else, and for a time to come. */
export function parseMoment(name: string, text: string, nowMs: number): Moment {
  const given = text.trim().replaceAll(/\s+/g, ' ').toLowerCase();
  const read = text.length > MAX_LENGTH ? null : readMoment(given, nowMs);
  if (read === null) throw refused(name, text, `it must be one of ${MOMENT_FORMS}`, `write for instance --${name} '10 min ago'`);
  if (read.kind === 'impossible') throw refused(name, text, read.why, `write for instance --${name} '10 min ago'`);
  if (read.kind === 'time' && read.ms > nowMs) {
    const isToday = /^(today )?\d{1,2}:/.test(given);
    const hint = isToday
      ? `did you mean --${name} 'yesterday ${given.replace('today ', '')}'?`
      : `write for instance --${name} '10 min ago'`;
    throw refused(name, text, `it is in the future, by ${roughDuration(read.ms - nowMs)}`, hint);
  }
  return read;
}

function readMoment(given: string, nowMs: number): Read | null {
  const scan = /^scan ([1-9]\d{0,14})$/.exec(given);
  if (scan !== null) return { kind: 'scan', id: Number(scan[1]) };
  const sinceEpoch = /^@?(\d{13})$/.exec(given);
  if (sinceEpoch !== null) return { kind: 'time', ms: Number(sinceEpoch[1]) };
  return readAgo(given, nowMs) ?? readClock(given, nowMs) ?? readDate(given);
}

function readAgo(given: string, nowMs: number): Read | null {
  const [, count, unit = ''] = /^(\d{1,9}) ?([a-z]+) ago$/.exec(given) ?? [];
  const unitMs = Object.hasOwn(MS_BY_UNIT, unit) ? MS_BY_UNIT[unit] : undefined;
  if (count === undefined || unitMs === undefined) return null;
  const ms = nowMs - Number(count) * unitMs;
  return ms < 0 ? { kind: 'impossible', why: 'that was before 1970' } : { kind: 'time', ms };
}

/** 14:05, today 14:05:30, yesterday 14:05. */
function readClock(given: string, nowMs: number): Read | null {
  const [, day, hour, minute, second = '0'] = /^(?:(today|yesterday) )?(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(given) ?? [];
  if (hour === undefined) return null;
  const now = new Date(nowMs);
  const date = new Date(now.getFullYear(), now.getMonth(), now.getDate() - (day === 'yesterday' ? 1 : 0));
  return localMoment([date.getFullYear(), date.getMonth() + 1, date.getDate(), Number(hour), Number(minute), Number(second), 0]);
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[t ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)? ?(z|[+-]\d{2}:?\d{2})?)?$/;

/** ISO 8601 as logs have it: a day, or a day and a time, of this zone unless it names another. */
function readDate(given: string): Read | null {
  const match = DATE.exec(given);
  if (match === null) return null;
  const part = (at: number): number => Number(match[at] ?? 0);
  const fields: Fields = [part(1), part(2), part(3), part(4), part(5), part(6), Number((match[7] ?? '').padEnd(3, '0').slice(0, 3))];
  const zone = match[8];
  if (zone === undefined) return localMoment(fields);
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? [];
  if (Number(hours ?? 0) > 23 || Number(minutes ?? 0) > 59) return { kind: 'impossible', why: `there is no time zone ${zone}` };
  const offsetMs = (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * HOUR_MS + Number(minutes ?? 0) * MINUTE_MS);
  return isOnCalendar(fields) ? { kind: 'time', ms: Date.UTC(...zeroBased(fields)) - offsetMs } : { kind: 'impossible', why: NO_SUCH_TIME };
}

/** Year, month from 1, day, hour, minute, second, millisecond. */
type Fields = readonly [number, number, number, number, number, number, number];

/** Of the two moments that a clock shows twice when it is put back, the first. */
function localMoment(fields: Fields): Read {
  if (!isOnCalendar(fields)) return { kind: 'impossible', why: NO_SUCH_TIME };
  const date = new Date(...zeroBased(fields));
  const isShown = date.getHours() === fields[3] && date.getMinutes() === fields[4] && date.getDate() === fields[2];
  return isShown ? { kind: 'time', ms: date.getTime() } : { kind: 'impossible', why: SKIPPED };
}

/** JavaScript takes 30 February for 2 March. */
function isOnCalendar(fields: Fields): boolean {
  const [year, month, day, hour, minute, second] = fields;
  const date = new Date(Date.UTC(...zeroBased(fields)));
  return (
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  );
}

function zeroBased([year, month, ...rest]: Fields): [number, number, number, number, number, number, number] {
  return [year, month - 1, ...rest];
}

function named(units: readonly string[], ms: number): Record<string, number> {
  return Object.fromEntries(units.map((unit) => [unit, ms]));
}

function refused(name: string, text: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message: `--${name} ${text}: not taken`, why, hint });
}
