/**
 * Process events of the kernel's process connector (linux/cn_proc.h): the calls, and the records that they fill a
 * buffer with (c/process-listener.h). A thread of the addon listens, so that a process of a few milliseconds is looked
 * at while it lives, whatever JavaScript is busy with.
 */

declare const handleMark: unique symbol;
/** A listening thread. It is ended with the thread of JavaScript that started it, or when nothing refers to it any more. */
export type ProcessEventsHandle = { readonly [handleMark]: true };

export type OpenedProcessEvents = {
  /** Open across exec, so that who may open it can hand it to who may not. */
  readonly fd: number;
  /** What the kernel granted (SO_RCVBUF): twice the wish, and less without CAP_NET_ADMIN. */
  readonly receiveBufferBytes: number;
};

/** Errors are those of Native: 'ERR_INVALID_ARG_VALUE', or the errno's name. */
export type ProcessEventCalls = {
  /**
   * From now on the kernel's events wait in the socket; 1 GiB at most. Waits half a second at most for the kernel's word.
   * EPROTONOSUPPORT: a kernel without connector. EPERM: only root may. ECONNREFUSED: a network namespace of its own.
   * ETIMEDOUT: no answer, as in a pid or user namespace of its own.
   */
  readonly openProcessEvents: (receiveBufferBytes: number) => OpenedProcessEvents;
  /**
   * Starts a thread on a duplicate of the descriptor. The ring has 64 KiB to 256 MiB and holds the arguments twice; of
   * the arguments of a process `argvLimitBytes` are kept, 1 MiB at most. ENOTSOCK, EPROTOTYPE: not such a socket.
   */
  readonly startProcessEvents: (fd: number, ringBytes: number, argvLimitBytes: number) => ProcessEventsHandle;
  /**
   * Fills the buffer with whole records, oldest first, and says with how many bytes. ERR_INVALID_ARG_VALUE: the next
   * record is larger than the buffer. EBADF: it was stopped. Others: the thread gave up, and all it had is drained.
   */
  readonly drainProcessEvents: (handle: ProcessEventsHandle, buffer: Uint8Array) => number;
  /** Fills in the numbers of PROCESS_EVENT_COUNTS, in that order. EBADF: it was stopped. */
  readonly countProcessEvents: (handle: ProcessEventsHandle, numbers: Float64Array) => void;
  /** Ends the thread and waits for that; nothing where it was stopped before. Does not close the descriptor. */
  readonly stopProcessEvents: (handle: ProcessEventsHandle) => void;
  /** A descriptor that Node opened stays open in the program that replaces this one (process.execve). */
  readonly keepAcrossExec: (fd: number) => void;
};

/**
 * What is counted since the start. `received`: messages of any kind. `lost`: gaps in the numbers of messages.
 * `overruns`: times that the socket had no room (ENOBUFS), each for any number of messages. `dropped`: records that the
 * ring had no room for. `argvMissed`: execs whose arguments were gone. `foreign`: messages that no kernel sent.
 */
export const PROCESS_EVENT_COUNTS = [
  'received',
  'forks',
  'execs',
  'exits',
  'lost',
  'overruns',
  'dropped',
  'argvMissed',
  'foreign',
] as const;
export type ProcessEventCounts = Readonly<Record<(typeof PROCESS_EVENT_COUNTS)[number], number>>;

const KINDS = [null, 'fork', 'exec', 'exit'] as const;
const KNOWN_STATUS = 1;
const KNOWN_OWNER = 2;
const KNOWN_EXE = 4;
const KNOWN_ARGV = 8;
const HEADER_BYTES = 56;
/** A record is not larger than this and the arguments that are kept: name and path have their bounds. */
export const RECORD_BYTES_WITHOUT_ARGV = 4352;

/** A record. Texts have one character for each byte (latin1). */
export type ProcessEventRecord = {
  /** Where the next record starts. */
  readonly end: number;
  readonly kind: 'fork' | 'exec' | 'exit';
  /** CLOCK_MONOTONIC, milliseconds. */
  readonly monotonicMs: number;
  readonly pid: number;
  readonly ppid: number | null;
  readonly name: string | null;
  readonly startTicks: number | null;
  readonly userId: number | null;
  readonly groupId: number | null;
  readonly exe: string | null;
  /** NUL after each argument, cut at the limit. */
  readonly argv: Buffer | null;
  /** As wait(2) gives it; 0 of what is no exit. */
  readonly waitStatus: number;
};

/** The record at `at` of a drained buffer; `argv` is a part of that buffer. */
export function readProcessEvent(buffer: Buffer, at: number): ProcessEventRecord {
  const end = at + buffer.readUInt32LE(at);
  const known = buffer.readUInt8(at + 5);
  const nameEnd = at + HEADER_BYTES + buffer.readUInt16LE(at + 6);
  const exeEnd = nameEnd + buffer.readUInt32LE(at + 44);
  const ppid = buffer.readInt32LE(at + 20);
  const hasStatus = (known & KNOWN_STATUS) !== 0;
  const hasOwner = (known & KNOWN_OWNER) !== 0;
  return {
    end,
    kind: KINDS[buffer.readUInt8(at + 4)] ?? 'fork',
    monotonicMs: readUint64(buffer, at + 8) / 1e6,
    pid: buffer.readInt32LE(at + 16),
    ppid: ppid === 0 ? null : ppid,
    name: hasStatus ? buffer.toString('latin1', at + HEADER_BYTES, nameEnd) : null,
    startTicks: hasStatus ? readUint64(buffer, at + 24) : null,
    userId: hasOwner ? buffer.readUInt32LE(at + 32) : null,
    groupId: hasOwner ? buffer.readUInt32LE(at + 36) : null,
    exe: (known & KNOWN_EXE) === 0 ? null : buffer.toString('latin1', nameEnd, exeEnd),
    argv: (known & KNOWN_ARGV) === 0 ? null : buffer.subarray(exeEnd, end),
    waitStatus: buffer.readUInt32LE(at + 40),
  };
}

/** Exact up to 2^53: of nanoseconds 104 days, and after that to a few of them. */
function readUint64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + buffer.readUInt32LE(at);
}

/** The numbers that countProcessEvents filled in, by name. */
export function nameProcessEventCounts(numbers: Float64Array): ProcessEventCounts {
  const [received = 0, forks = 0, execs = 0, exits = 0, lost = 0, overruns = 0, dropped = 0, argvMissed = 0, foreign = 0] = numbers;
  return { received, forks, execs, exits, lost, overruns, dropped, argvMissed, foreign };
}
