/**
 * The addon's functions as the product sees them: checked arguments, words instead of numbers, no raw system calls.
 * The addon checks every argument again, so a mistake here is an error and not a crash.
 */
import { buildConfinement, type ConfinementProfile } from './confinement.ts';
import type { FileHashCalls } from './file-hash.ts';
import { allowEverything, refuseOnly } from './filter.ts';
import { openIoUrings } from './io-uring.ts';
import { bindLedgerHash, type LedgerHash, type LedgerHashCalls } from './ledger-hash.ts';
import type { ListProcesses, ReadProcess } from './process-files.ts';
import type { ProcessEventCalls } from './process-events.ts';
import { IO_URING_SETUP, type Arch } from './syscalls.ts';

/** The kernel's word on who connected. pid 0 is a process in a pid namespace that this one cannot see. */
export type PeerCredentials = { readonly pid: number; readonly uid: number; readonly gid: number };

export const RESOURCE_NAMES = ['AS', 'CORE', 'CPU', 'DATA', 'FSIZE', 'MEMLOCK', 'NOFILE', 'NPROC', 'STACK'] as const;
/** RLIMIT_* of getrlimit(2). AS, CORE, DATA, FSIZE, MEMLOCK and STACK are in bytes, CPU in seconds, the others counts. */
export type ResourceName = (typeof RESOURCE_NAMES)[number];
export type LimitValue = number | 'unlimited';
export type ResourceLimit = { readonly soft: LimitValue; readonly hard: LimitValue };

/**
 * Every function throws a TypeError with code ERR_INVALID_ARG_VALUE for arguments of the wrong shape, and an Error
 * "<call>: <reason>" with the errno's name as its code (EBADF, EPERM, …) for what the kernel refused.
 */
export type Native = {
  /**
   * Who connected to a Unix stream socket (or, for a connected client, who listens), as of the time of connect(2) or
   * listen(2): SO_PEERCRED, unix(7). The process may have ended since, and its pid been given to another.
   * ENOTCONN: no peer, or no Unix socket. ENOTSOCK, EBADF: no socket.
   */
  readonly peerCredentials: (socketFd: number) => PeerCredentials;
  /**
   * Tells the service manager, e.g. 'READY=1' (sd_notify(3)); 4096 bytes at most. False where $NOTIFY_SOCKET is not
   * set. Waits a second at most, then throws EAGAIN. Needs a Unix socket: EAFNOSUPPORT under socketFamilies 'none'.
   */
  readonly notify: (message: string) => boolean;
  /** getrlimit(2). Limits over 2^53 lose their last digits. */
  readonly getResourceLimit: (resource: ResourceName) => ResourceLimit;
  /**
   * setrlimit(2), for every thread and for what the process starts. A hard limit can be raised by root only (EPERM).
   * A write past FSIZE raises SIGXFSZ, which ends the process unless a listener for it is installed.
   */
  readonly setResourceLimit: (resource: ResourceName, soft: LimitValue, hard: LimitValue) => void;
  /** Sets no_new_privs (PR_SET_NO_NEW_PRIVS, prctl(2)) on every thread: set-user-id programs give nothing any more. */
  readonly noNewPrivileges: () => void;
  /**
   * Whether this process has an io_uring open, as Node's event loops do wherever the kernel lets them. A process that
   * has one cannot confine itself; see refuseIoUring.
   */
  readonly holdsIoUring: () => boolean;
  /**
   * Sets no_new_privs and refuses io_uring_setup from now on, to this process and all it starts. Rings already open
   * keep working here; a program started afterwards (process.execve of oneself, or a child) has none.
   */
  readonly refuseIoUring: () => void;
  /**
   * Sets no_new_privs and puts the profile's filter on every thread, present and future, and on what the process starts.
   * Cannot be undone; a second profile can only take more away.
   * EBUSY: an io_uring is open. The filter would refuse its use, and the event loop would abort the process; leaving
   * it usable would leave a way round the filter.
   * EINVAL, ENOSYS: a kernel without seccomp filters. ESRCH: a thread has a filter of its own; nothing was applied.
   */
  readonly confine: (profile: ConfinementProfile) => void;
  /**
   * Takes an exclusive advisory lock (flock(2)) without waiting; false while another open file description holds it.
   * It ends when the last copy of this descriptor is closed, also by the process's death.
   */
  readonly lockFile: (fd: number) => boolean;
  /** What /proc tells of one process, into memory of the caller's. Throws for nothing that the kernel says. */
  readonly readProcess: ReadProcess;
  /** Which processes /proc lists. Throws where it cannot be opened. */
  readonly listProcesses: ListProcesses;
} & ProcessEventCalls &
  FileHashCalls &
  LedgerHash;

/** What the C files export (c/addon.c). Limits are numbers, Infinity for none; a filter is an array of struct sock_filter. */
export type Addon = {
  readonly peerCredentials: (fd: number) => PeerCredentials;
  readonly sendDatagram: (address: string, message: string) => void;
  readonly getLimit: (resource: number) => readonly [soft: number, hard: number];
  readonly setLimit: (resource: number, soft: number, hard: number) => void;
  readonly tryLock: (fd: number) => boolean;
  readonly applyFilter: (filter: Uint8Array) => void;
  readonly readProcess: ReadProcess;
  readonly listProcesses: ListProcesses;
  readonly limitNumbers: Readonly<Record<ResourceName, number>>;
} & ProcessEventCalls &
  FileHashCalls &
  LedgerHashCalls;

const ADDON_FUNCTIONS = [
  'peerCredentials',
  'sendDatagram',
  'getLimit',
  'setLimit',
  'tryLock',
  'applyFilter',
  'openProcessEvents',
  'startProcessEvents',
  'drainProcessEvents',
  'countProcessEvents',
  'stopProcessEvents',
  'keepAcrossExec',
  'readProcess',
  'listProcesses',
  'hashFile',
  'cancelHash',
  'blake3',
  'sha256Leaves',
  'sha256Nodes',
  'checkEntryPage',
  'hashCode',
];

/** Whether what was loaded is an addon of this version: an old file must not be called with new arguments. */
export function isAddon(exports: Readonly<Record<string, unknown>>): exports is Addon {
  const numbers = exports['limitNumbers'];
  if (typeof numbers !== 'object' || numbers === null) return false;
  return (
    ADDON_FUNCTIONS.every((name) => typeof exports[name] === 'function') &&
    RESOURCE_NAMES.every((name) => typeof Reflect.get(numbers, name) === 'number')
  );
}

export function bindNative(addon: Addon, arch: Arch): Native {
  return {
    peerCredentials: addon.peerCredentials,
    lockFile: addon.tryLock,
    openProcessEvents: addon.openProcessEvents,
    startProcessEvents: addon.startProcessEvents,
    drainProcessEvents: addon.drainProcessEvents,
    countProcessEvents: addon.countProcessEvents,
    stopProcessEvents: addon.stopProcessEvents,
    keepAcrossExec: addon.keepAcrossExec,
    readProcess: addon.readProcess,
    listProcesses: addon.listProcesses,
    hashFile: addon.hashFile,
    cancelHash: addon.cancelHash,
    ...bindLedgerHash(addon),
    notify: (message) => notify(addon, message),
    getResourceLimit(resource) {
      const [soft, hard] = addon.getLimit(limitNumber(addon, resource));
      return { soft: fromLimit(soft), hard: fromLimit(hard) };
    },
    setResourceLimit(resource, soft, hard) {
      addon.setLimit(limitNumber(addon, resource), toLimit(soft), toLimit(hard));
    },
    noNewPrivileges: () => addon.applyFilter(allowEverything()),
    holdsIoUring: () => openIoUrings() > 0,
    refuseIoUring: () => addon.applyFilter(refuseOnly(IO_URING_SETUP)),
    confine(profile) {
      checkProfile(profile);
      const rings = openIoUrings();
      if (rings > 0) throw Object.assign(new Error(`confine: ${rings} io_uring descriptors are open`), { code: 'EBUSY' });
      addon.applyFilter(buildConfinement(profile, { arch, pid: process.pid }));
    },
  };
}

function notify(addon: Addon, message: string): boolean {
  if (typeof message !== 'string') throw invalid('The message must be a string');
  const address = process.env['NOTIFY_SOCKET'];
  if (address === undefined || address === '') return false;
  if (!address.startsWith('/') && !address.startsWith('@')) {
    throw Object.assign(new Error('sendto: $NOTIFY_SOCKET is neither a path nor an abstract address'), { code: 'EAFNOSUPPORT' });
  }
  addon.sendDatagram(address.startsWith('@') ? `\0${address.slice(1)}` : address, message);
  return true;
}

function limitNumber(addon: Addon, resource: ResourceName): number {
  if (!RESOURCE_NAMES.includes(resource)) throw invalid('The resource must be one of ' + RESOURCE_NAMES.join(', '));
  return addon.limitNumbers[resource];
}

function fromLimit(limit: number): LimitValue {
  return limit === Infinity ? 'unlimited' : limit;
}

function toLimit(limit: LimitValue): number {
  if (limit === 'unlimited') return Infinity;
  if (!Number.isSafeInteger(limit) || limit < 0) throw invalid("A limit must be a whole number or 'unlimited'");
  return limit;
}

/** A misspelt key must not leave a door open, so the profile has exactly these four and no other. */
function checkProfile(profile: ConfinementProfile): void {
  const given: unknown = profile;
  if (typeof given !== 'object' || given === null) throw invalid('The profile must be an object');
  const { socketFamilies, exec, writeFiles, signalOthers, ...others } = profile;
  const valid =
    ['none', 'unix', 'unix_and_ip'].includes(socketFamilies) &&
    [exec, writeFiles, signalOthers].every((flag) => typeof flag === 'boolean') &&
    Object.keys(others).length === 0;
  if (!valid) throw invalid('The profile must have socketFamilies, exec, writeFiles and signalOthers, and nothing else');
}

function invalid(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}
