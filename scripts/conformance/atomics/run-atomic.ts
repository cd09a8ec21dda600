/**
 * One recorded attack technique, done for real: by an unprivileged user, in mount and network namespaces of its own with a
 * scratch /tmp, and cleaned up after.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export type Atomic = {
  readonly id: string;
  readonly name: string;
  readonly executor: string;
  readonly command: string;
  readonly cleanup: string | null;
  readonly prereqs: readonly { readonly prereq: string; readonly get: string }[];
  /** Names of rules that a source of exec events has to have fire. */
  readonly expect_child: readonly string[];
};

const TOOLS = ['/usr/bin/unshare', '/usr/bin/setpriv', '/usr/bin/mount'] as const;
const NOBODY = '65534';
const MOST_MS = 20_000;
/** In the namespaces: a /tmp that nobody else sees, root's rights given up, then the script as the first argument. */
const INSIDE = `mount -t tmpfs -o mode=1777 tmpfs /tmp && cd /tmp && mkdir -m 777 home atomics &&
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --inh-caps=-all --no-new-privs "$0" -c "$1"`;

/** Why none can be run here; null where they can. */
export function whyNoAtomics(): string | null {
  if (process.getuid?.() !== 0) return 'the kernel gives process events, and namespaces, to root alone';
  const missing = TOOLS.filter((path) => !existsSync(path));
  return missing.length === 0 ? null : `${missing.join(', ')} is missing`;
}

/** Runs it with what it needs before and leaves behind; a program that is not on the machine fails in it, as it would elsewhere. */
export function runAtomic({ executor, command, cleanup, prereqs }: Atomic): void {
  // Never what fetches packages: a test changes nothing on the machine.
  const needed = prereqs.filter(({ get }) => !/\b(apt|apt-get|yum|dnf|pkg|apk|curl|wget)\b/.test(get));
  const before = needed.map(({ prereq, get }) => `( ${prereq.trim()}\n) >/dev/null 2>&1 || { ${get.trim()}\n}`);
  runInside(executor, [...before, command.trimEnd()].join('\n'), cleanup);
}

/** All in one namespace, so that the clean-up finds what was made. */
function runInside(executor: string, script: string, cleanup: string | null): void {
  const shell = executor === 'bash' ? '/bin/bash' : '/bin/sh';
  const whole = cleanup === null ? script : `${script}\n${cleanup.trimEnd()}`;
  spawnSync('/usr/bin/unshare', ['--mount', '--net', '--propagation', 'private', '--', '/bin/sh', '-c', INSIDE, shell, whole], {
    stdio: 'ignore',
    timeout: MOST_MS,
    killSignal: 'SIGKILL',
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/tmp/home',
      PathToAtomicsFolder: '/tmp/atomics',
      LANG: 'C',
    },
  });
}
