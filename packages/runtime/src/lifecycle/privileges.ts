/**
 * Giving up root and proving it. A plain setuid in Node leaves capabilities to chance, so the program replaces itself
 * through setpriv(1): the new image has, on every thread, exactly what is named here. What is left is then read from
 * the kernel for each thread, and what must fail is tried.
 */
import { existsSync, openSync, closeSync, readFileSync, readdirSync } from 'node:fs';
import { SentinelError, errnoOf } from '@sentineld/model/error';

/** CAP_SYS_PTRACE, capability 19 of capabilities(7): exe, cwd and namespaces of other users' processes. */
export const SYS_PTRACE_MASK: bigint = 1n << 19n;

const SETPRIV_PATHS = ['/usr/bin/setpriv', '/bin/setpriv'] as const;

export type Identity = {
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
  readonly keepSysPtrace: boolean;
};

/** Replaces this process by `program` with `argv` under another identity; of the environment only `environment` and the service manager's variables stay. Returns only by throwing. */
export function becomeThroughSetpriv(
  identity: Identity,
  program: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): never {
  const setpriv = SETPRIV_PATHS.find((path) => existsSync(path));
  if (setpriv === undefined || process.execve === undefined) {
    throw new SentinelError('privilege.refused', {
      message: 'root cannot be given up: setpriv (util-linux) is not installed',
      hint: 'apt-get install util-linux, or start as an unprivileged user',
    });
  }
  const capabilities = identity.keepSysPtrace ? '-all,+sys_ptrace' : '-all';
  process.execve(
    setpriv,
    [
      'setpriv',
      `--reuid=${identity.uid}`,
      `--regid=${identity.gid}`,
      identity.supplementaryGids.length > 0 ? `--groups=${identity.supplementaryGids.join(',')}` : '--clear-groups',
      `--inh-caps=${capabilities}`,
      `--ambient-caps=${capabilities}`,
      `--bounding-set=${capabilities}`,
      '--no-new-privs',
      '--',
      program,
      ...argv,
    ],
    { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', ...serviceEnvironment(), ...environment },
  );
  throw new SentinelError('privilege.refused', { message: `${setpriv} could not be executed`, hint: 'check that it can be run by hand' });
}

/** What systemd told this process survives the change; nothing else of root's environment does. */
function serviceEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(NOTIFY_SOCKET|WATCHDOG_USEC|WATCHDOG_PID|LISTEN_FDS|LISTEN_PID|TZ)$/.test(entry[0]),
  );
  return Object.fromEntries(kept);
}

/** What the kernel says of one thread (proc_pid_status(5)). */
export type ThreadPrivileges = {
  readonly tid: number;
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  readonly inheritable: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
  readonly noNewPrivileges: boolean;
  readonly seccompMode: number;
};

/** Reads every thread of this process. */
export function threadPrivileges(taskDirectory: string = '/proc/self/task'): readonly ThreadPrivileges[] {
  return readdirSync(taskDirectory).flatMap((tid) => {
    try {
      return [parseThreadStatus(Number(tid), readFileSync(`${taskDirectory}/${tid}/status`, 'latin1'))];
    } catch (cause) {
      // A thread that ended meanwhile has nothing any more.
      if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ESRCH') return [];
      throw cause;
    }
  });
}

/** Parses the text of /proc/PID/task/TID/status. */
export function parseThreadStatus(tid: number, text: string): ThreadPrivileges {
  const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const numbers = (name: string): number[] =>
    field(name)
      .split(/\s+/)
      .filter((word) => word !== '')
      .map(Number);
  const mask = (name: string): bigint => BigInt(`0x${field(name) || 'ffffffffffffffff'}`);
  return {
    tid,
    uids: numbers('Uid'),
    gids: numbers('Gid'),
    groups: numbers('Groups'),
    inheritable: mask('CapInh'),
    permitted: mask('CapPrm'),
    effective: mask('CapEff'),
    bounding: mask('CapBnd'),
    ambient: mask('CapAmb'),
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccompMode: Number(field('Seccomp') || '0'),
  };
}

/** What was proved, for the ledger. Masks as lower-case hex. */
export type PrivilegeProof = {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly threads: number;
  readonly effective: string;
  readonly bounding: string;
  readonly noNewPrivileges: boolean;
  readonly seccomp: boolean;
  /** What was tried and refused by the kernel. */
  readonly refused: readonly string[];
};

/**
 * Proves that no thread has more than `allowed` (a capability mask) and none has uid or gid 0, and that root cannot be
 * had again. Throws 'privilege.refused' naming the thread and what it has too much.
 */
export function provePrivileges(allowed: bigint, threads: readonly ThreadPrivileges[] = threadPrivileges()): PrivilegeProof {
  const first = threads[0];
  if (first === undefined)
    throw new SentinelError('privilege.refused', { message: 'no thread could be read from /proc/self/task', hint: 'is /proc mounted?' });
  // Started as root the bounding set was cut too; an ordinary user's was not, and their groups are their own business.
  const dropped = (first.bounding & ~allowed) === 0n;
  for (const thread of threads) {
    const excess = excessOf(thread, allowed, dropped);
    if (excess === null) continue;
    throw new SentinelError('privilege.refused', {
      message: `thread ${thread.tid} has ${excess}`,
      hint: 'start as root (it is then given up), as an unprivileged user, or under the service unit; nothing in between',
      context: { tid: thread.tid },
    });
  }
  return {
    uid: first.uids[0] ?? -1,
    gid: first.gids[0] ?? -1,
    groups: first.groups,
    threads: threads.length,
    effective: first.effective.toString(16),
    bounding: first.bounding.toString(16),
    noNewPrivileges: threads.every((thread) => thread.noNewPrivileges),
    seccomp: threads.every((thread) => thread.seccompMode === 2),
    refused: tryWhatMustFail(dropped),
  };
}

function excessOf(thread: ThreadPrivileges, allowed: bigint, dropped: boolean): string | null {
  if (thread.uids.includes(0)) return 'uid 0';
  if (dropped && (thread.gids.includes(0) || thread.groups.includes(0))) return 'group 0';
  if ((thread.bounding & ~allowed) !== 0n && dropped) return `bounding set 0x${thread.bounding.toString(16)}`;
  const sets = { effective: thread.effective, permitted: thread.permitted, inheritable: thread.inheritable, ambient: thread.ambient };
  for (const [name, mask] of Object.entries(sets)) {
    const more = mask & ~allowed;
    if (more !== 0n) return `${name} capabilities 0x${more.toString(16)} beyond 0x${allowed.toString(16)}`;
  }
  return null;
}

/** Each of these worked as root; one that still works means that root was not given up. */
function tryWhatMustFail(dropped: boolean): readonly string[] {
  const attempts: Readonly<Record<string, () => void>> = {
    'setuid(0)': () => process.setuid?.(0),
    'setgroups([0])': () => process.setgroups?.([0]),
    ...(dropped && {
      'setgid(0)': () => process.setgid?.(0),
      'open(/etc/shadow)': () => closeSync(openSync('/etc/shadow', 'r')),
    }),
  };
  return Object.entries(attempts).map(([name, attempt]) => {
    try {
      attempt();
    } catch (cause) {
      return `${name}: ${errnoOf(cause) ?? 'refused'}`;
    }
    throw new SentinelError('privilege.refused', {
      message: `${name} still works after root was given up`,
      hint: 'check the groups of the account',
    });
  });
}
