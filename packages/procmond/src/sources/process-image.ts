/**
 * The image of a process: what stays the same until it calls exec, changes its owner or loses its parent. It is read
 * as one and compared as one.
 */
import { NAMESPACE_KINDS, type ExecutableFile, type ProcessImage, type Unseen } from '@sentineld/model/process';
import type { KernelConstants } from './kernel-constants.ts';
import type { KnownProcess } from './known-process.ts';
import { isKernelThread, type ProcStat } from './proc-stat.ts';
import { NO_EXECUTABLE, readArguments, readOwner, type Arguments, type Executable, type ExecutableReader } from './process-details.ts';
import type { UserNames } from './user-names.ts';

/** What an image is read with and from. */
export type ImageReader = {
  readonly stat: ProcStat;
  readonly kernel: KernelConstants;
  readonly users: UserNames;
  readonly readExecutable: ExecutableReader;
  readonly argvBuffer: Buffer;
};

/** One look at what `stat` does not tell; null when the process is gone. */
export function readImage(reader: ImageReader, process: KnownProcess): ProcessImage | null {
  const { stat, kernel } = reader;
  const base = `/proc/${process.pid}`;
  const owner = readOwner(base);
  if (owner === null) return null;
  const noImage = isKernelThread(stat) || process.isZombie;
  const executable = noImage ? NO_EXECUTABLE : reader.readExecutable(base);
  const argv = noImage ? NO_ARGUMENTS : readArguments(base, reader.argvBuffer);
  return {
    ppid: process.ppid,
    name: process.name,
    exe: runningFile(process.image.exe, executable),
    exeDeleted: executable.deleted,
    argv: argv.argv,
    redacted: 0,
    startTimeMs: kernel.bootTimeMs + Math.round((process.startTicks * 1000) / kernel.ticksPerSecond),
    userId: owner.uid,
    userName: reader.users.nameOf(owner.uid),
    groupId: owner.gid,
    realUserId: null,
    realGroupId: null,
    loginUserId: null,
    sessionId: stat.session,
    ttyNumber: stat.ttyNumber,
    cwd: null,
    controlGroup: null,
    namespaces: null,
    isKernelThread: isKernelThread(stat),
    unseen: unseenOf(executable, argv),
  };
}

const NO_ARGUMENTS: Arguments = { argv: [], unseen: null };
const ALL_SEEN: readonly Unseen[] = [];

function unseenOf(executable: Executable, argv: Arguments): readonly Unseen[] {
  if (executable.unseen === null && argv.unseen === null) return ALL_SEEN;
  return [executable.unseen, argv.unseen].filter((unseen) => unseen !== null);
}

/** The file as it was known where it lost its last link: that changed its ctime and its path, and nothing of it. */
function runningFile(known: ExecutableFile | null, { file, deleted }: Executable): ExecutableFile | null {
  const isKnown = deleted && known !== null && known.dev === file?.dev && known.inode === file.inode;
  return isKnown && known.sizeBytes === file.sizeBytes && known.mtimeNs === file.mtimeNs ? known : file;
}

/** Whether a process has another owner than its image says; false where that cannot be told (any more). */
export function hasOtherOwner(pid: number, { userId, groupId }: ProcessImage): boolean {
  const owner = readOwner(`/proc/${pid}`);
  return owner !== null && (owner.uid !== userId || owner.gid !== groupId);
}

/** Whether two images say the same. */
export function isSameImage(a: ProcessImage, b: ProcessImage): boolean {
  return (
    a === b ||
    (a.ppid === b.ppid &&
      a.name === b.name &&
      isSameFile(a.exe, b.exe) &&
      a.exeDeleted === b.exeDeleted &&
      isSameList(a.argv, b.argv) &&
      a.redacted === b.redacted &&
      a.startTimeMs === b.startTimeMs &&
      a.userId === b.userId &&
      a.userName === b.userName &&
      a.groupId === b.groupId &&
      a.realUserId === b.realUserId &&
      a.realGroupId === b.realGroupId &&
      a.loginUserId === b.loginUserId &&
      a.sessionId === b.sessionId &&
      a.ttyNumber === b.ttyNumber &&
      a.cwd === b.cwd &&
      a.controlGroup?.path === b.controlGroup?.path &&
      (a.namespaces === b.namespaces || NAMESPACE_KINDS.every((kind) => a.namespaces?.[kind] === b.namespaces?.[kind])) &&
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
