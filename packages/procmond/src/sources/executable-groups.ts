/**
 * Running processes grouped by the file that they run, so that a file is looked at once however many run it: whether
 * its last link is gone, and through whom it can be opened.
 */
import type { ExecutableFile, ProcessRecord } from '@sentineld/model/process';
import { isExecutableDeleted } from './process-details.ts';

export type ExecutableGroups = {
  readonly join: (process: ProcessRecord) => void;
  readonly leave: (process: ProcessRecord) => void;
  /** Looks at each file through one process that runs it; processes of a file that lost its last link get a new image that says so. */
  readonly refreshDeleted: () => void;
  /** A process that runs the file, or null. */
  readonly memberOf: (file: ExecutableFile) => ProcessRecord | null;
};

export function createExecutableGroups(isDeleted: (base: string) => boolean | null = isExecutableDeleted): ExecutableGroups {
  const groups = new Map<string, Set<ProcessRecord>>();
  const inodeKey = (file: ExecutableFile): string => `${file.dev}:${file.inode}`;
  /** What was joined last: of those that are met one after the other many run the same file, which is the same object then. */
  let lastFile: ExecutableFile | null = null;
  let lastMembers = new Set<ProcessRecord>();
  const membersOf = (file: ExecutableFile): Set<ProcessRecord> => {
    const key = inodeKey(file);
    const members = groups.get(key) ?? new Set<ProcessRecord>();
    if (members.size === 0) groups.set(key, members);
    return members;
  };
  return {
    join: (process) => {
      const file = process.image.exe;
      if (file === null) return;
      // An empty group is none any more.
      if (file !== lastFile || lastMembers.size === 0) {
        lastMembers = membersOf(file);
        lastFile = file;
      }
      lastMembers.add(process);
    },
    leave: (process) => {
      const file = process.image.exe;
      if (file === null) return;
      const key = inodeKey(file);
      const members = groups.get(key);
      members?.delete(process);
      if (members?.size === 0) groups.delete(key);
    },
    refreshDeleted: () => {
      for (const members of groups.values()) markDeleted(members, isDeleted);
    },
    memberOf: (file) => groups.get(inodeKey(file))?.values().next().value ?? null,
  };
}

function markDeleted(members: ReadonlySet<ProcessRecord>, isDeleted: (base: string) => boolean | null): void {
  for (const process of members) {
    if (process.image.exeDeleted) return;
    const deleted = isDeleted(`/proc/${process.pid}`);
    // Gone since it was read: ask the next one.
    if (deleted === null) continue;
    if (deleted) for (const member of members) member.image = { ...member.image, exeDeleted: true };
    return;
  }
}
