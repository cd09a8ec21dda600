/**
 * From when to when a backtest goes: the options, and the kept scans that they mean.
 */
import { SentinelError } from '@sentineld/model/error';
import { parseDuration } from '@sentineld/runtime/config/quantity';
import { readPastScans, type PastScans } from '@sentineld/detection/replay/past-scans';
import type { Reader } from '@sentineld/store/reader';
import { resolveTime, withEventsReader } from './as-of.ts';
import type { CommandContext } from './command.ts';
import { clockTime } from './output/times.ts';

export type BacktestRange = {
  readonly sinceMs: number;
  /** Null: up to the newest scan. */
  readonly untilMs: number | null;
};

const DEFAULT_SPAN_MS = 24 * 3_600_000;

/** Throws 'usage.invalid' for what is no time, and for an end that is not after the beginning; 'store.*' where a scan is named. */
export function readRange(context: CommandContext, since: string | null, until: string | null): BacktestRange {
  const untilMs = until === null ? null : timeOf(context, 'until', until, 1);
  const sinceMs = since === null ? (untilMs ?? context.now()) - DEFAULT_SPAN_MS : timeOf(context, 'since', since, 0);
  if (untilMs === null || sinceMs < untilMs) return { sinceMs, untilMs };
  throw new SentinelError('usage.invalid', {
    message: '--since and --until: not taken',
    why: 'the end is not after the beginning',
    hint: 'give them the other way round',
  });
}

/** A duration is so long ago. */
function timeOf(context: CommandContext, name: string, text: string, afterScanMs: number): number {
  const duration = parseDuration(text);
  return duration === null ? resolveTime(context, name, text, afterScanMs) : context.now() - duration;
}

/** The scans of the range. Throws 'store.*' where they cannot be read, 'usage.invalid' where none is kept. */
export function scansOf(context: CommandContext, { sinceMs, untilMs }: BacktestRange): PastScans {
  return withEventsReader(context.paths(), [], (reader) => {
    const past = readPastScans(reader, sinceMs, untilMs ?? Number.MAX_SAFE_INTEGER);
    if (past.scans.length > 0) return past;
    throw nothingKept(reader);
  });
}

function nothingKept(reader: Reader): SentinelError {
  const [row] = reader.internal('SELECT min(start_time) AS first, max(start_time) AS last FROM scan_metadata');
  const { first, last } = row ?? {};
  if (typeof first !== 'number' || typeof last !== 'number') {
    return new SentinelError('store.missing', {
      message: 'nothing recorded yet: there is no scan',
      hint: 'wait for the first scan: sentinelcli health',
    });
  }
  return new SentinelError('usage.invalid', {
    message: 'no scan is kept of that time',
    why: `scans are kept from ${clockTime(first)} to ${clockTime(last)}`,
    hint: `write for instance --since '${clockTime(first)}'`,
  });
}
