/**
 * A process as the Linux source keeps it between scans.
 */
import type { ExecutableFile, ProcessImage, ProcessRecord, Unseen } from '@sentineld/model/process';

/** A process between scans: the record that is handed out, its held descriptor, and what tells that it changed. */
export type KnownProcess = ProcessRecord & {
  descriptor: number;
  seenInScan: number;
  name: string;
  ppid: number;
  layout: number;
  virtualBytes: number;
  isZombie: boolean;
  /** Whether something of it could not be read: `image.unseen` says what. */
  isWithheld: boolean;
  cpuTicks: number;
  readAtMs: number;
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
    seenInScan: 0,
    name: '',
    ppid: 0,
    layout: 0,
    virtualBytes: 0,
    isZombie: false,
    isWithheld: false,
    cpuTicks: -1,
    readAtMs: 0,
  };
}

/** What is known before anything but `stat` was read. */
export const NO_IMAGE: ProcessImage = {
  ppid: 0,
  name: '',
  exe: null,
  exeDeleted: false,
  argv: null,
  startTimeMs: 0,
  userId: null,
  userName: null,
  groupId: null,
  sessionId: 0,
  ttyNumber: 0,
  isKernelThread: false,
  unseen: [],
};

/** Whether two images say the same. */
export function isSameImage(a: ProcessImage, b: ProcessImage): boolean {
  return (
    a === b ||
    (a.ppid === b.ppid &&
      a.name === b.name &&
      isSameFile(a.exe, b.exe) &&
      a.exeDeleted === b.exeDeleted &&
      isSameList(a.argv, b.argv) &&
      a.startTimeMs === b.startTimeMs &&
      a.userId === b.userId &&
      a.userName === b.userName &&
      a.groupId === b.groupId &&
      a.sessionId === b.sessionId &&
      a.ttyNumber === b.ttyNumber &&
      a.isKernelThread === b.isKernelThread &&
      isSameList(a.unseen.map(textOf), b.unseen.map(textOf)))
  );
}

function isSameFile(a: ExecutableFile | null, b: ExecutableFile | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  const times = a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
  return times && a.path === b.path && a.dev === b.dev && a.inode === b.inode && a.sizeBytes === b.sizeBytes;
}

function isSameList(a: readonly string[] | null, b: readonly string[] | null): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a.length === b.length && a.every((text, i) => text === b[i]);
}

function textOf({ field, reason }: Unseen): string {
  return `${field}: ${reason}`;
}
