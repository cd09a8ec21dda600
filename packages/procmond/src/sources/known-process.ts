/**
 * A process as the Linux source keeps it between scans.
 */
import type { ProcessImage, ProcessRecord } from '@sentineld/model/process';

/** The descriptor of a process of which no file is kept open. */
export const NOT_HELD = -1;

/** A process between scans: the record that is handed out, its held descriptor, and what tells that it changed. */
export type KnownProcess = ProcessRecord & {
  /** The file that is kept open, or NOT_HELD. */
  descriptor: number;
  watches: 'stat' | 'schedstat';
  /** So many scans in a row the other file would have been the better one. */
  misfits: number;
  /** What `schedstat` told last; NaN where it has told nothing yet. */
  ranNs: number;
  timesRun: number;
  seenInScan: number;
  /** When `stat` was read last. */
  updatedInScan: number;
  threads: number;
  name: string;
  ppid: number;
  layout: number;
  virtualBytes: number;
  isZombie: boolean;
  /** Whether something of it could not be read: `image.unseen` says what. */
  isWithheld: boolean;
  cpuTicks: number;
};

/** A process of which nothing but its identity was read yet. */
export function newlyMet(pid: number, startTicks: number, descriptor: number): KnownProcess {
  return {
    pid,
    startTicks,
    image: NO_IMAGE,
    cpuPercent: null,
    memoryBytes: 0,
    status: 'unknown',
    descriptor,
    watches: 'stat',
    misfits: 0,
    ranNs: Number.NaN,
    timesRun: 0,
    seenInScan: 0,
    updatedInScan: 0,
    threads: 0,
    name: '',
    ppid: 0,
    layout: 0,
    virtualBytes: 0,
    isZombie: false,
    isWithheld: false,
    cpuTicks: -1,
  };
}

/** What is known before anything but `stat` was read. */
export const NO_IMAGE: ProcessImage = {
  ppid: 0,
  name: '',
  exe: null,
  exeDeleted: false,
  argv: null,
  redacted: 0,
  startTimeMs: 0,
  userId: null,
  userName: null,
  groupId: null,
  realUserId: null,
  realGroupId: null,
  loginUserId: null,
  sessionId: 0,
  ttyNumber: 0,
  cwd: null,
  controlGroup: null,
  namespaces: null,
  isKernelThread: false,
  unseen: [],
};
