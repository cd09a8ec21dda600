/**
 * The image of a process from a row of a listing: what the row does not tell is null and named in `unseen`, and secrets
 * are taken out of the arguments. The file that runs is known by its path alone, so it is looked at on disk.
 */
import { statSync } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';
import type { ExecutableFile, ProcessImage, Unseen } from '@sentineld/model/process';
import type { PortableRow } from './portable-row.ts';
import type { Redact } from './process-details.ts';

/** The file of this path as it is now, or why it cannot be seen. */
export type FileLook = { readonly file: ExecutableFile | null; readonly reason: string };
export type LookAtFile = (path: string) => FileLook;

export type ImageMaker = {
  /** Splits a command line as this system does. */
  readonly split: (command: string, path: string | null) => readonly string[];
  readonly redact: Redact;
  /** Characters of a command line that are kept. */
  readonly commandLimit: number;
};

export type Executable = Pick<ProcessImage, 'exe' | 'exeDeleted'> & { readonly unseen: Unseen | null };

/** stat(2) of a path; symbolic links are followed. */
export function lookAtFile(path: string): FileLook {
  try {
    const status = statSync(path, { bigint: true });
    if (!status.isFile()) return { file: null, reason: 'no regular file' };
    const file: ExecutableFile = {
      path,
      dev: String(status.dev),
      inode: String(status.ino),
      sizeBytes: Number(status.size),
      mtimeNs: String(status.mtimeNs),
      ctimeNs: String(status.ctimeNs),
    };
    return { file, reason: '' };
  } catch (cause) {
    return { file: null, reason: errnoOf(cause) ?? 'unknown' };
  }
}

/**
 * The file that a row's process runs. Once seen it stays what it was: a running process goes on with its file whatever takes
 * the file's name. It is deleted where nothing has the name any more. `look` is null while nothing costly is to be done.
 */
export function executableOf(row: PortableRow, known: ProcessImage | null, look: LookAtFile | null): Executable {
  if (row.isKernel || row.state === 'zombie') return { exe: null, exeDeleted: false, unseen: null };
  if (row.path === null) return { exe: null, exeDeleted: false, unseen: { field: 'exe', reason: 'not listed' } };
  const before = known?.exe?.path === row.path ? known : null;
  if (look === null) {
    const unseen: Unseen = { field: 'exe', reason: 'trimmed' };
    return before === null ? { exe: null, exeDeleted: false, unseen } : { exe: before.exe, exeDeleted: before.exeDeleted, unseen: null };
  }
  const { file, reason } = look(row.path);
  if (before !== null) return { exe: before.exe, exeDeleted: before.exeDeleted || reason === 'ENOENT', unseen: null };
  return { exe: file, exeDeleted: false, unseen: file === null ? { field: 'exe', reason } : null };
}

export function makeImage(row: PortableRow, startTimeMs: number, executable: Executable, maker: ImageMaker): ProcessImage {
  const { argv, redacted, unseen } = argumentsOf(row, maker);
  const owner: Unseen | null = row.userId === null && row.user === null ? { field: 'owner', reason: 'not listed' } : null;
  return {
    ppid: row.ppid,
    name: row.name,
    exe: executable.exe,
    exeDeleted: executable.exeDeleted,
    argv,
    redacted,
    startTimeMs,
    userId: row.userId,
    userName: row.user,
    groupId: null,
    realUserId: null,
    realGroupId: null,
    loginUserId: null,
    sessionId: 0,
    ttyNumber: 0,
    cwd: null,
    controlGroup: null,
    namespaces: null,
    isKernelThread: row.isKernel,
    unseen: [executable.unseen, unseen, owner].filter((part) => part !== null),
  };
}

type Arguments = { readonly argv: readonly string[] | null; readonly redacted: number; readonly unseen: Unseen | null };

function argumentsOf({ command, path, isKernel, state }: PortableRow, { split, redact, commandLimit }: ImageMaker): Arguments {
  if (isKernel || state === 'zombie') return { argv: [], redacted: 0, unseen: null };
  if (command === null) return { argv: null, redacted: 0, unseen: { field: 'argv', reason: 'not listed' } };
  const isCut = command.length > commandLimit;
  const kept = isCut ? command.slice(0, commandLimit).toWellFormed() : command;
  return { ...pick(redact(split(kept, path))), unseen: isCut ? { field: 'argv', reason: `cut at ${commandLimit} characters` } : null };
}

function pick({ argv, redacted }: ReturnType<Redact>): Pick<Arguments, 'argv' | 'redacted'> {
  return { argv, redacted };
}
