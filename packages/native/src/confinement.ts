/**
 * What a confined process may still ask of the kernel, as a seccomp filter. It is for the day when the code inside
 * has been taken over, so it refuses whole kinds of calls, needed or not. It cannot see behind pointers: which path
 * is opened and which socket is connected to is for file permissions to decide.
 */
import { buildFilter, type ArgumentCase, type Rule } from './filter.ts';
import {
  ALWAYS_REFUSED,
  CHANGES_FILES,
  EXAMINED,
  NEWEST_KNOWN_CALL,
  numbersOf,
  STARTS_PROGRAMS,
  type Arch,
  type ExaminedCall,
  type SyscallTable,
} from './syscalls.ts';

export type ConfinementProfile = {
  /** New sockets of other families fail with EAFNOSUPPORT; 'none' refuses every family. Open sockets keep working. */
  readonly socketFamilies: 'none' | 'unix' | 'unix_and_ip';
  /** False: no program is started and no process forked (EPERM). Threads can always be started. */
  readonly exec: boolean;
  /**
   * False: no file is opened for writing, created, removed, renamed or changed in its metadata, and no socket is bound
   * to an address (EPERM). Descriptors that are open for writing keep working, standard output among them.
   */
  readonly writeFiles: boolean;
  /** False: signals and resource limits reach this process only (EPERM). A process it forks cannot signal itself. */
  readonly signalOthers: boolean;
};

/** The calling process: which tables apply, and which pid is its own. */
export type ConfinedProcess = { readonly arch: Arch; readonly pid: number };

// asm-generic/fcntl.h, linux/sched.h, asm-generic/ioctls.h, asm-generic/sockios.h, linux/fs.h: the same on both architectures.
/** O_WRONLY, O_RDWR, O_CREAT, O_TRUNC. O_TMPFILE works only with one of the first two. */
const OPEN_FOR_WRITING = 0o1103;
const CLONE_THREAD = 0x0001_0000;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET; NEWTIME exists for clone3 and unshare only. */
const CLONE_NEW_NAMESPACE = 0x7e02_0000;
/** TIOCSTI and TIOCLINUX type into the terminal of whoever started the process. */
const IOCTLS_ALWAYS_REFUSED = [0x5412, 0x541c];
/** FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR change files through descriptors that are open for reading. */
const IOCTLS_CHANGING_FILES = [0x4008_6602, 0x401c_5820];
/** FIOSETOWN and SIOCSPGRP; F_SETOWN, F_SETSIG and F_SETOWN_EX: they choose whom the kernel sends a signal, and which. */
const IOCTLS_SETTING_OWNER = [0x8901, 0x8902];
const FCNTLS_SETTING_OWNER = [8, 10, 15];
/** AF_UNIX, AF_INET, AF_INET6. */
const FAMILIES = { none: [], unix: [1], unix_and_ip: [1, 2, 10] } as const;

/** The filter for a profile: an array of struct sock_filter (seccomp(2)). Refusals are errors, never signals. */
export function buildConfinement(profile: ConfinementProfile, process: ConfinedProcess): Uint8Array {
  const rules = new Map<number, Rule>();
  const add = (number: number | null, rule: Rule): void => {
    if (number === null) return;
    if (rules.has(number)) throw new Error(`System call ${number} has two rules`);
    rules.set(number, rule);
  };
  const refuseAll = (table: SyscallTable): void => {
    for (const number of numbersOf(table, process.arch)) add(number, 'EPERM');
  };

  for (const [name, rule] of examinedRules(profile, process.pid)) add(EXAMINED[name][process.arch === 'x64' ? 0 : 1], rule);
  refuseAll(ALWAYS_REFUSED);
  if (!profile.exec) refuseAll(STARTS_PROGRAMS);
  if (!profile.writeFiles) refuseAll(CHANGES_FILES);
  return buildFilter({ arch: process.arch, rules, newestKnownCall: NEWEST_KNOWN_CALL });
}

type ExaminedRules = (readonly [name: ExaminedCall, rule: Rule])[];

function examinedRules(profile: ConfinementProfile, pid: number): ExaminedRules {
  return [
    ...socketRules(profile),
    ...cloneRules(profile),
    ...controlRules(profile),
    ...(profile.writeFiles ? [] : readOnlyRules()),
    ...(profile.signalOthers ? [] : ownProcessRules(pid)),
  ];
}

function socketRules(profile: ConfinementProfile): ExaminedRules {
  const allowed = equalToAny(FAMILIES[profile.socketFamilies], 'allow');
  const rule: Rule = { argument: 0, cases: allowed, otherwise: 'EAFNOSUPPORT' };
  return [
    ['socket', rule],
    ['socketpair', rule],
  ];
}

/** clone3 has its flags behind a pointer; on ENOSYS the C library uses clone, which can be looked at. */
function cloneRules(profile: ConfinementProfile): ExaminedRules {
  const namespaces: ArgumentCase = { test: 'has_any', value: CLONE_NEW_NAMESPACE, then: 'EPERM' };
  const threads: ArgumentCase = { test: 'has_any', value: CLONE_THREAD, then: 'allow' };
  return [
    ['clone3', 'ENOSYS'],
    ['clone', { argument: 0, cases: [namespaces, threads], otherwise: profile.exec ? 'allow' : 'EPERM' }],
  ];
}

function controlRules(profile: ConfinementProfile): ExaminedRules {
  const ioctls = [
    ...IOCTLS_ALWAYS_REFUSED,
    ...(profile.writeFiles ? [] : IOCTLS_CHANGING_FILES),
    ...(profile.signalOthers ? [] : IOCTLS_SETTING_OWNER),
  ];
  return [['ioctl', { argument: 1, cases: equalToAny(ioctls, 'EPERM'), otherwise: 'allow' }]];
}

/** openat2 has its flags behind a pointer; those who try it first use openat on ENOSYS. bind can create a socket's file. */
function readOnlyRules(): ExaminedRules {
  const writing: readonly ArgumentCase[] = [{ test: 'has_any', value: OPEN_FOR_WRITING, then: 'EPERM' }];
  return [
    ['open', { argument: 1, cases: writing, otherwise: 'allow' }],
    ['openat', { argument: 2, cases: writing, otherwise: 'allow' }],
    ['openat2', 'ENOSYS'],
    ['bind', 'EPERM'],
  ];
}

/** A pidfd does not show which process it stands for. RLIMIT_CPU of another process is as good as a signal. */
function ownProcessRules(pid: number): ExaminedRules {
  const ownPid: Rule = { argument: 0, cases: equalToAny([pid], 'allow'), otherwise: 'EPERM' };
  return [
    ['kill', ownPid],
    ['tkill', ownPid],
    ['tgkill', ownPid],
    ['rt_sigqueueinfo', ownPid],
    ['rt_tgsigqueueinfo', ownPid],
    ['pidfd_send_signal', 'EPERM'],
    ['prlimit64', { argument: 0, cases: equalToAny([0, pid], 'allow'), otherwise: 'EPERM' }],
    ['fcntl', { argument: 1, cases: equalToAny(FCNTLS_SETTING_OWNER, 'EPERM'), otherwise: 'allow' }],
  ];
}

function equalToAny(values: readonly number[], then: ArgumentCase['then']): readonly ArgumentCase[] {
  return values.map((value) => ({ test: 'equals', value, then }));
}
