/**
 * The image of a process: what stays the same until it calls exec, changes its owner or loses its parent. It is read
 * as one and compared as one.
 */
import { NAMESPACE_KINDS, type ExecutableFile, type ProcessImage, type Unseen } from '@sentineld/model/process';
import { NUMBER, WANT } from '@sentineld/native/process-files';
import type { KernelConstants } from './kernel-constants.ts';
import type { KnownProcess } from './known-process.ts';
import { idOf, numberOf, type ProcFiles } from './proc-files.ts';
import { isKernelThread, type ProcStat } from './proc-stat.ts';
import {
  loginUserOf,
  NO_EXECUTABLE,
  readOwner,
  realOwnerOf,
  type Arguments,
  type ArgumentsReader,
  type Executable,
  type ExecutableReader,
} from './process-details.ts';
import { TRIMMED, type Surroundings, type SurroundingsReader } from './process-surroundings.ts';
import type { UserNames } from './user-names.ts';

/** What an image is read with and from. */
export type ImageReader = {
  readonly files: ProcFiles;
  readonly stat: ProcStat;
  readonly kernel: KernelConstants;
  readonly users: UserNames;
  readonly readExecutable: ExecutableReader;
  readonly readSurroundings: SurroundingsReader;
  readonly readArguments: ArgumentsReader;
};

/** What an image is made of beside `stat`; where a process runs may be left out. */
export const WANT_IDENTITY: number = WANT.owner | WANT.status | WANT.loginuid | WANT.exe | WANT.cmdline;
export const WANT_SURROUNDINGS: number = WANT.cgroup | WANT.cwd | WANT.namespaces;

/** The image out of `stat` and what was read besides, which is `wants`; null when the process is gone. */
export function imageOf(reader: ImageReader, process: KnownProcess, wants: number): ProcessImage | null {
  const { files, stat, kernel } = reader;
  if (numberOf(files, NUMBER.owner) < 0) return null;
  const ofKernel = isKernelThread(stat);
  const noImage = ofKernel || process.isZombie;
  const executable = noImage ? NO_EXECUTABLE : reader.readExecutable(files, `/proc/${process.pid}`);
  const given = noImage ? NO_ARGUMENTS : reader.readArguments(files);
  const real = realOwnerOf(files);
  const where = (wants & WANT_SURROUNDINGS) === 0 ? TRIMMED : reader.readSurroundings(files, noImage);
  const userId = idOf(files, NUMBER.uid);
  return {
    ppid: process.ppid,
    name: process.name,
    exe: runningFile(process.image.exe, executable),
    exeDeleted: executable.deleted,
    argv: given.argv,
    redacted: given.redacted,
    startTimeMs: kernel.bootTimeMs + Math.round((process.startTicks * 1000) / kernel.ticksPerSecond),
    userId,
    userName: reader.users.nameOf(userId),
    groupId: idOf(files, NUMBER.gid),
    realUserId: real.uid,
    realGroupId: real.gid,
    loginUserId: loginUserOf(files),
    sessionId: stat.session,
    ttyNumber: stat.ttyNumber,
    cwd: where.cwd.value,
    controlGroup: where.controlGroup.value,
    namespaces: where.namespaces.value,
    isKernelThread: ofKernel,
    unseen: unseenOf(executable.unseen, given.unseen, real.unseen, where),
  };
}

const NO_ARGUMENTS: Arguments = { argv: [], redacted: 0, unseen: null };
const ALL_SEEN: readonly Unseen[] = [];

function unseenOf(exe: Unseen | null, argv: Unseen | null, owner: Unseen | null, where: Surroundings): readonly Unseen[] {
  const { cwd, controlGroup, namespaces } = where;
  const isSeen = exe === null && argv === null && owner === null;
  if (isSeen && cwd.unseen === null && controlGroup.unseen === null && namespaces.unseen === null) return ALL_SEEN;
  return [exe, argv, owner, cwd.unseen, controlGroup.unseen, namespaces.unseen].filter((unseen) => unseen !== null);
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
