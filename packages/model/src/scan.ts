/**
 * What one scan of the process table found, and how complete it was.
 */
import type { EventCoverage } from './process-event.ts';
import type { ProcessRecord } from './process.ts';

/** How complete a scan was. Every count is of processes. */
export type ScanCoverage = {
  /** Processes in the scan. */
  readonly seen: number;
  /** Of these: nothing was withheld. */
  readonly accessible: number;
  readonly exeUnreadable: number;
  readonly argvUnreadable: number;
  readonly argvTruncated: number;
  /** Went away between the listing of /proc and their reading: not in the scan. */
  readonly vanished: number;
  /** Could not be read though they were there: not in the scan. */
  readonly errors: number;
  /** True where /proc is mounted so that other users' processes are hidden (hidepid). */
  readonly otherUsersHidden: boolean;
  /** One sentence for people, or null when everything was seen. */
  readonly reason: string | null;
};

/** What a process source returns. Times in milliseconds since 1970, except `durationMs`, which is monotonic. */
export type Scan = {
  readonly startTimeMs: number;
  readonly endTimeMs: number;
  readonly durationMs: number;
  readonly bootId: string;
  readonly loadAverage: number | null;
  readonly processes: readonly ProcessRecord[];
  readonly coverage: ScanCoverage;
};

/** What is told to whoever subscribed when a scan is on disk. */
export type ScanCompleted = {
  readonly event: 'scan.completed';
  readonly scanId: number;
  /** One id for everything that follows from this scan: rule run, alert, delivery, log line. */
  readonly correlationId: string;
  readonly timestampMs: number;
  readonly durationMs: number;
  readonly processes: number;
  readonly accessible: number;
  readonly started: number;
  readonly changed: number;
  readonly stopped: number;
  readonly reducedVisibility: string | null;
  /** What happened between the scan before and this one, and what was missed of it. */
  readonly events: EventCoverage;
};
