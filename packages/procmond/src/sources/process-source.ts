/**
 * What every process source offers: one scan at a time, synchronous, never throwing for a process that went away
 * or may not be read; such processes are counted in the scan's coverage.
 */
import type { ExecutableFile } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';

export type ProcessSource = {
  /** For instance 'linux-proc'. */
  readonly name: string;
  /** Reads the process table once. Objects of the scan before may be handed out again, changed in place. */
  readonly scan: () => Scan;
  /** A path through which a running process's executable can be opened, deleted or not; null where nobody runs it any more. */
  readonly openPathOf: (file: ExecutableFile) => string | null;
  readonly close: () => void;
};
