/**
 * What the store remembers of processes that are gone: which parents a process had before its present one, and when a
 * pid was seen last. Fixed queries over the tables themselves, each found by an index but for the last of them.
 */
import { SentinelError } from '@sentineld/model/error';
import type { ResultRow, SqlValue } from '@sentineld/model/rule';
import type { Reader } from './reader.ts';

/** A process as it is in one scan; times in milliseconds since 1970. */
export type KnownProcess = {
  readonly pid: number;
  readonly ppid: number;
  readonly startTicks: number;
  readonly startMs: number;
};

/** A parent that a process had before. What is not known of it is null. */
export type FormerParent = {
  /** Of the process whose parent it was. */
  readonly childPid: number;
  readonly pid: number;
  readonly name: string | null;
  readonly cmdline: string | null;
  /** The newest scan that saw it as the parent, in milliseconds since 1970; of an event, when that was. */
  readonly seenMs: number | null;
};

export type LastSeen = {
  readonly name: string | null;
  readonly timestampMs: number;
  /** Null where no scan saw it, only an event. */
  readonly scanId: number | null;
};

/** ?1 lists what is asked for: pid, start ticks, parent, and for events the time from and to. */
const ASKED = `SELECT value ->> 0 AS pid, value ->> 1 AS start_ticks, value ->> 2 AS ppid, value ->> 3 AS from_ms, value ->> 4 AS to_ms FROM json_each(?1)`;

const FORMER_IMAGES = `
SELECT a.pid AS child_pid, o.ppid AS pid, c.name AS name, c.cmdline AS cmdline,
  (SELECT s.start_time_ms FROM scan s WHERE s.id = o.last_scan) AS seen_ms
FROM (${ASKED}) a
  CROSS JOIN process_image o ON o.pid = a.pid AND o.start_ticks = a.start_ticks AND o.ppid <> a.ppid AND o.last_scan < ?2
  LEFT JOIN process_image p ON p.id = (SELECT q.id FROM process_image q WHERE q.pid = o.ppid AND q.last_scan >= o.first_scan ORDER BY q.last_scan LIMIT 1)
    AND p.first_scan <= o.last_scan
  LEFT JOIN command c ON c.id = p.command_id
ORDER BY o.last_scan DESC`;

const FORMER_EVENTS = `
SELECT a.pid AS child_pid, e.ppid AS pid, c.name AS name, c.cmdline AS cmdline, e.time_ms AS seen_ms
FROM (${ASKED}) a
  CROSS JOIN process_event e INDEXED BY process_event_time
    ON e.time_ms BETWEEN a.from_ms AND a.to_ms AND e.pid = a.pid AND e.start_ticks = a.start_ticks AND e.ppid <> a.ppid
  LEFT JOIN command c ON c.id = e.parent_id
ORDER BY e.time_ms`;

/** Around its start: a process is born and calls exec at nearly the same time. */
const BEFORE_START_MS = 1000;
const AFTER_START_MS = 2000;
const ASKED_AT_ONCE = 2000;

const SEEN_IN_SCANS = `
SELECT c.name AS name, s.start_time_ms AS timestamp_ms, s.id AS scan_id
FROM process_image i LEFT JOIN command c ON c.id = i.command_id
  JOIN scan s ON s.id = min(i.last_scan, (SELECT max(id) FROM scan))
WHERE i.pid = ?1 ORDER BY i.last_scan DESC LIMIT 1`;

const SEEN_IN_EVENTS = `
SELECT c.name AS name, e.time_ms AS timestamp_ms, NULL AS scan_id
FROM process_event e LEFT JOIN command c ON c.id = e.command_id
WHERE e.pid = ?1 ORDER BY e.seq DESC LIMIT 1`;

/** Parents before the present one that scans before `scanId` saw, those that were seen last first. */
export function formerParentsInScans(reader: Reader, processes: readonly KnownProcess[], scanId: number): readonly FormerParent[] {
  const asked = processes.map(({ pid, startTicks, ppid }) => [pid, startTicks, ppid]);
  return askInParts(asked, (part) => askStore(reader, FORMER_IMAGES, [part, scanId]));
}

/** The parents that events named when processes began, where those are others than now. */
export function formerParentsInEvents(reader: Reader, processes: readonly KnownProcess[]): readonly FormerParent[] {
  const asked = processes.map(({ pid, startTicks, ppid, startMs }) => [
    pid,
    startTicks,
    ppid,
    startMs - BEFORE_START_MS,
    startMs + AFTER_START_MS,
  ]);
  return askInParts(asked, (part) => askStore(reader, FORMER_EVENTS, [part]));
}

function askInParts(asked: readonly (readonly number[])[], ask: (part: string) => readonly ResultRow[]): readonly FormerParent[] {
  const parts = Array.from({ length: Math.ceil(asked.length / ASKED_AT_ONCE) }, (_, at) =>
    asked.slice(at * ASKED_AT_ONCE, (at + 1) * ASKED_AT_ONCE),
  );
  return parts.flatMap((part) => ask(JSON.stringify(part)).map(formerParent));
}

/** When anything of that pid was seen last; null where nothing that is kept tells of it. Reads every event. */
export function lastSeen(reader: Reader, pid: number): LastSeen | null {
  const rows = [...askStore(reader, SEEN_IN_SCANS, [pid]), ...askStore(reader, SEEN_IN_EVENTS, [pid])];
  const seen = rows.map((row) => ({
    name: textOf(row['name']),
    timestampMs: numberOf(row['timestamp_ms']) ?? 0,
    scanId: numberOf(row['scan_id']),
  }));
  // Of a scan it can be shown as it was.
  return seen.find(({ scanId }) => scanId !== null) ?? seen[0] ?? null;
}

/** Nothing from a store of a release that kept it otherwise. */
function askStore(reader: Reader, sql: string, values: readonly SqlValue[]): readonly ResultRow[] {
  try {
    return reader.internal(sql, values);
  } catch (cause) {
    if (cause instanceof SentinelError && cause.code === 'query.failed') return [];
    throw cause;
  }
}

function formerParent(row: ResultRow): FormerParent {
  return {
    childPid: numberOf(row['child_pid']) ?? 0,
    pid: numberOf(row['pid']) ?? 0,
    name: textOf(row['name']),
    cmdline: textOf(row['cmdline']),
    seenMs: numberOf(row['seen_ms']),
  };
}

function numberOf(value: SqlValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function textOf(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
