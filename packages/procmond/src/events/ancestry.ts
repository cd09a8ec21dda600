/**
 * Who started whom, kept from event to event: a parent may be gone by the time that its child's event is read, so what
 * it ran is remembered with the child when it forks.
 */
import type { Command } from '@sentineld/model/process-event';
import type { ProcessRecord } from '@sentineld/model/process';

/** More than a kernel gives pids by default on a machine of this size; beyond it the oldest are forgotten. */
const REMEMBERED_PROCESSES = 32_768;

/** What is known of a process that events told of. */
export type Relative = {
  readonly startTicks: number | null;
  readonly ppid: number | null;
  readonly userId: number | null;
  readonly groupId: number | null;
  readonly command: Command | null;
  /** What the parent ran when this one forked, or called exec where its fork was not seen. */
  readonly parent: Command | null;
};

export type Ancestry = {
  readonly forked: (pid: number, ppid: number | null) => void;
  readonly execed: (pid: number, self: Omit<Relative, 'parent'>) => Relative;
  /** What ran, and forgets it; null where nothing is known of it. */
  readonly exited: (pid: number) => Relative | null;
  /** Forgets those whose end was not told: of whom neither the last two scans nor an event since then knows. */
  readonly forgetUnseen: () => void;
  readonly size: () => number;
};

type Remembered = Relative & { round: number };

/** `lookUp` tells what the newest scan knows of a pid. */
export function createAncestry(lookUp: (pid: number) => ProcessRecord | null): Ancestry {
  const relatives = new Map<number, Remembered>();
  let round = 0;
  const remember = (pid: number, relative: Relative): Relative => {
    relatives.delete(pid);
    if (relatives.size >= REMEMBERED_PROCESSES) relatives.delete(relatives.keys().next().value ?? pid);
    const remembered = { ...relative, round };
    relatives.set(pid, remembered);
    return remembered;
  };
  const know = (pid: number | null): Relative | null => {
    if (pid === null) return null;
    return relatives.get(pid) ?? relativeOf(lookUp(pid));
  };
  return {
    forked: (pid, ppid) => {
      const parent = know(ppid);
      const command = parent?.command ?? null;
      remember(pid, { startTicks: null, ppid, userId: parent?.userId ?? null, groupId: parent?.groupId ?? null, command, parent: command });
    },
    execed: (pid, self) => {
      const forked = relatives.get(pid);
      const ppid = forked?.ppid ?? self.ppid;
      const parent = forked === undefined ? (elder(know(ppid), self.startTicks)?.command ?? null) : forked.parent;
      return remember(pid, { ...self, ppid, parent });
    },
    exited: (pid) => {
      const relative = know(pid);
      relatives.delete(pid);
      return relative;
    },
    forgetUnseen: () => {
      for (const [pid, relative] of relatives) if (relative.round < round - 1 && lookUp(pid) === null) relatives.delete(pid);
      round++;
    },
    size: () => relatives.size,
  };
}

/** Nobody is the parent of one who is older: then the pid has been given to another process since. */
function elder(parent: Relative | null, startTicks: number | null): Relative | null {
  const isYounger = parent !== null && parent.startTicks !== null && startTicks !== null && parent.startTicks > startTicks;
  return isYounger ? null : parent;
}

function relativeOf(record: ProcessRecord | null): Relative | null {
  if (record === null) return null;
  const { image } = record;
  const command = { name: image.name, exePath: image.exe?.path ?? null, argv: image.argv, redacted: image.redacted };
  return { startTicks: record.startTicks, ppid: image.ppid, userId: image.userId, groupId: image.groupId, command, parent: null };
}
