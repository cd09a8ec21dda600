/**
 * Who started whom, kept from event to event: a parent may be gone by the time that its child's event is read, so what
 * it ran is remembered with the child when it forks.
 */
import type { Command } from '@sentineld/model/process-event';
import type { ProcessImage, ProcessRecord } from '@sentineld/model/process';

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
  /**
   * To be called after each scan. Forgets those whose end was not told: of whom neither the last two scans nor an event
   * since then knows. Of the others it keeps the texts that the scan has anyway, not its own.
   */
  readonly follow: () => void;
  readonly size: () => number;
};

type Remembered = Omit<Relative, 'command'> & { command: Command | null; round: number; isShared: boolean };

/** `lookUp` tells what the newest scan knows of a pid. */
export function createAncestry(lookUp: (pid: number) => ProcessRecord | null): Ancestry {
  const relatives = new Map<number, Remembered>();
  const commandOf = createCommands();
  let round = 0;
  const remember = (pid: number, relative: Relative): Relative => {
    relatives.delete(pid);
    if (relatives.size >= REMEMBERED_PROCESSES) relatives.delete(relatives.keys().next().value ?? pid);
    const remembered = { ...relative, round, isShared: false };
    relatives.set(pid, remembered);
    return remembered;
  };
  const know = (pid: number | null): Relative | null => {
    if (pid === null) return null;
    return relatives.get(pid) ?? relativeOf(lookUp(pid), commandOf);
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
    follow: () => {
      for (const [pid, relative] of relatives) {
        const isOld = relative.round < round - 1;
        if (relative.isShared && !isOld) continue;
        const record = lookUp(pid);
        if (record === null && isOld) relatives.delete(pid);
        if (record !== null && !relative.isShared) share(relative, record, commandOf);
      }
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

type Commands = (image: ProcessImage) => Command;

/** One command for an image, whoever asks: many processes have one parent. */
function createCommands(): Commands {
  const commands = new WeakMap<ProcessImage, Command>();
  return (image) => {
    let command = commands.get(image);
    if (command === undefined) {
      command = { name: image.name, exePath: image.exe?.path ?? null, argv: image.argv, redacted: image.redacted };
      commands.set(image, command);
    }
    return command;
  };
}

/** Takes the command of the scan in place of an equal one. */
function share(relative: Remembered, { startTicks, image }: ProcessRecord, commandOf: Commands): void {
  const { command } = relative;
  if (command === null || startTicks !== relative.startTicks || !isOf(command, image)) return;
  relative.command = commandOf(image);
  relative.isShared = true;
}

function isOf({ name, exePath, argv, redacted }: Command, image: ProcessImage): boolean {
  if (name !== image.name || exePath !== (image.exe?.path ?? null) || redacted !== image.redacted) return false;
  if (argv === null || image.argv === null || argv.length !== image.argv.length) return argv === image.argv;
  for (let i = 0; i < argv.length; i++) if (argv[i] !== image.argv[i]) return false;
  return true;
}

function relativeOf(record: ProcessRecord | null, commandOf: Commands): Relative | null {
  if (record === null) return null;
  const { image } = record;
  const { ppid, userId, groupId } = image;
  return { startTicks: record.startTicks, ppid, userId, groupId, command: commandOf(image), parent: null };
}
