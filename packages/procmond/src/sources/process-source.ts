/**
 * What every process source offers: one scan at a time, synchronous, never throwing for a process that went away
 * or may not be read; such processes are counted in the scan's coverage.
 */
import type { ExecutableFile, ProcessRecord } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';

export type ProcessSource = {
  /** For instance 'linux-proc'. */
  readonly name: string;
  /** Awaited before each scan where there is one: for systems whose listing takes a while. What it could not get, the scan says. */
  readonly prepare?: () => Promise<void>;
  /** Reads the process table once. Objects of the scan before may be handed out again, changed in place. */
  readonly scan: () => Scan;
  /** A path through which a running process's executable can be opened, deleted or not; null where nobody runs it any more. */
  readonly openPathOf: (file: ExecutableFile) => string | null;
  /** What the newest scan knows of a pid; null where it has none. */
  readonly lookUp: (pid: number) => ProcessRecord | null;
  /**
   * True: less is read, until told otherwise. New processes go without what is costly to read, which their `unseen` says
   * with the reason 'trimmed', and details of known ones are not read again in turn. What is missing is read when its turn
   * comes after `trim(false)`.
   */
  readonly trim: (level: boolean) => void;
  /** Sentences for people on what the newest scan did otherwise than it should, though it missed nothing. */
  readonly notes: () => readonly string[];
  readonly close: () => void;
};
