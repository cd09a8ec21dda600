/**
 * The past as commands see it: which kept scan a moment means, and how that is told. A moment is answered by the newest
 * scan that began at or before it; between scans nothing but events is known.
 */
import { SentinelError } from '@sentineld/model/error';
import type { ResultRow } from '@sentineld/model/rule';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { AS_OF_SCAN_SQL } from '@sentineld/store/events/as-of';
import { openReader, type Reader, type ReaderView } from '@sentineld/store/reader';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { parseMoment, type Moment } from './at-time.ts';
import type { CommandContext } from './command.ts';
import { requireEventsDatabase } from './databases.ts';
import { clockTime, roughDuration } from './output/times.ts';

/** One kept scan. Times in milliseconds since 1970. */
export type KeptScan = {
  readonly id: number;
  readonly startMs: number;
  /** Start of the scan before it by the collector's own count; null for the first after a start. */
  readonly beforeMs: number | null;
};

/** The scan that a command shows, and the moment that was asked for; null where that was the newest. */
export type AsOf = { readonly scan: KeptScan; readonly asked: Moment | null };

/** Opens events.db, does one thing and closes it. Throws 'store.*'. */
export function withEventsReader<Result>(paths: StatePaths, views: readonly ReaderView[], work: (reader: Reader) => Result): Result {
  const path = requireEventsDatabase(paths);
  const databases = [{ schema: 'main', path }];
  const reader = openReader({ databases, temporaryViews: views, schema: EVENTS_SCHEMA, functions: new Set() });
  try {
    return work(reader);
  } finally {
    reader.close();
  }
}

/**
 * The scan that the value of --NAME means, or the newest where none was given. Throws 'usage.invalid' for what is no
 * time and for one that nothing is kept of, 'store.missing' where there is no scan at all.
 */
export function resolveAsOf(context: CommandContext, name: string, text: string | null): AsOf {
  const asked = text === null ? null : parseMoment(name, text, context.now());
  return withEventsReader(context.paths(), [], (reader) => {
    const scan = scanOf(reader, asked);
    if (scan !== null) return { scan, asked };
    throw notKept(reader, `--${name} ${text ?? ''}`, asked, context.now());
  });
}

/**
 * Milliseconds since 1970 of the time that the value of --NAME means; of a scan its start, `afterScanMs` later. Throws what
 * resolveAsOf throws, where a scan is named, and 'usage.invalid' for what is no time.
 */
export function resolveTime(context: CommandContext, name: string, text: string, afterScanMs = 0): number {
  const moment = parseMoment(name, text, context.now());
  return moment.kind === 'time' ? moment.ms : resolveAsOf(context, name, text).scan.startMs + afterScanMs;
}

/** 'as of scan 1234, 2026-11-21 15:04:05, 12 s before the time asked for'; null where the newest was asked for. */
function asOfText({ scan, asked }: AsOf): string | null {
  if (asked === null) return null;
  const place = `as of scan ${scan.id}, ${clockTime(scan.startMs)}`;
  if (asked.kind === 'scan') return place;
  const earlierMs = asked.ms - scan.startMs;
  return earlierMs < 1000 ? `${place}, the time asked for` : `${place}, ${roughDuration(earlierMs)} before the time asked for`;
}

/** On standard error, so that it never ends up in a file or pipe. */
export function tellAsOf({ terminal }: CommandContext, asOf: AsOf | null): void {
  const line = asOf === null ? null : asOfText(asOf);
  if (line !== null) terminal.err(terminal.errStyles.dim(line) + '\n');
}

function scanOf(reader: Reader, asked: Moment | null): KeptScan | null {
  const [found] = asked?.kind === 'time' ? reader.internal(AS_OF_SCAN_SQL, [asked.ms]) : [];
  if (asked?.kind === 'time' && found === undefined) return null;
  const id = asked === null ? null : asked.kind === 'scan' ? asked.id : (found?.['id'] ?? null);
  const [row] = reader.internal(
    `SELECT s.id AS id, s.start_time AS start_ms, s.start_time - c.interval_ms AS before_ms
     FROM scan_metadata s JOIN coverage c ON c.scan_id = s.id WHERE s.id = coalesce(?1, (SELECT max(id) FROM scan_metadata))`,
    [id],
  );
  return row === undefined ? null : keptScan(row);
}

function keptScan(row: ResultRow): KeptScan {
  const [id, startMs, beforeMs] = [row['id'], row['start_ms'], row['before_ms']];
  return { id: Number(id), startMs: Number(startMs), beforeMs: typeof beforeMs === 'number' ? beforeMs : null };
}

function notKept(reader: Reader, given: string, asked: Moment | null, nowMs: number): SentinelError {
  const [row] = reader.internal('SELECT min(id) AS first, max(id) AS last, min(start_time) AS start_ms FROM scan_metadata');
  const { first, last, start_ms: startMs } = row ?? {};
  if (asked === null || typeof first !== 'number' || typeof last !== 'number' || typeof startMs !== 'number') {
    return new SentinelError('store.missing', {
      message: 'nothing recorded yet: there is no scan',
      hint: 'wait for the first scan: sentinelcli health',
    });
  }
  if (asked.kind === 'scan') {
    return new SentinelError('usage.invalid', {
      message: `${given}: there is no scan ${asked.id}`,
      why: `scans ${first} to ${last} are kept`,
      hint: `write for instance 'scan ${last}'`,
    });
  }
  return new SentinelError('usage.invalid', {
    message: `${given}: nothing is kept of that time`,
    why: `the oldest scan that is kept is scan ${first}, of ${clockTime(startMs)} (${roughDuration(nowMs - startMs)} ago)`,
    hint: `ask for that time or a later one, for instance 'scan ${first}'`,
  });
}
