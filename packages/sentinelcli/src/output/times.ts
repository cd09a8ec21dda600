/**
 * Times and durations for people: local time with its offset, so that it can be compared with other logs.
 */

/** 2026-11-20T16:27:54+01:00, in the time zone of whoever reads. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return 'unknown time';
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${day(date)}T${clock(date)}${zone}`;
}

/** For machines: 2026-11-20T15:27:54.000Z; null for what is no time. */
export function isoTime(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** 2026-11-20 16:27:54 in the time zone of whoever reads: as it may be typed again, between quotes. */
export function clockTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'unknown time' : `${day(date)} ${clock(date)}`;
}

/** 11-20 16:27:54 local time, for tables, where room is scarce; with the year where it is another one than now. */
export function tableTime(ms: number, now: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return '-';
  const isThisYear = date.getFullYear() === new Date(now).getFullYear();
  return `${isThisYear ? day(date).slice(5) : day(date)} ${clock(date)}`;
}

/** '12 s', '5 min', '3 h', '4 days': the largest unit alone. */
export function roughDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** '12.3 MiB': three digits are enough to compare. */
export function roughSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
  let value = bytes;
  let at = 0;
  for (; value >= 1024 && at < units.length - 1; at++) value /= 1024;
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at] ?? 'B'}`;
}

function day(date: Date): string {
  return `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
