/**
 * A world of its own for the campaign. As root the program starts itself anew in new mount and pid namespaces: what is
 * mounted there nobody else sees, the daemons see only what the campaign started, and all of it is gone with the first
 * process in it, also after SIGKILL. For other users it stays where it is.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readlinkSync } from 'node:fs';
import type { Cleanup } from './cleanup.ts';
import { childrenOf } from './processes.ts';

const MARK = 'SENTINELD_FAULT_WORLD';
const UNSHARE = '/usr/bin/unshare';
/** So that it does not outlive this program, whatever ends that. */
const BOUND = ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--'] as const;
const NAMESPACES = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** The first process of a pid namespace must wait for orphans, which a shell does and Node does not. */
const FIRST_PROCESS = ['/bin/sh', '-c', '"$@"; exit $?', 'sh'];

/** Returns in the new world, or where there can be none; the process outside passes on signals and ends as the one inside. */
export async function enterPrivateWorld(): Promise<void> {
  const [, script, ...words] = process.argv;
  if (process.getuid?.() !== 0 || process.env[MARK] !== undefined || !existsSync(UNSHARE) || !existsSync(BOUND[0]) || script === undefined)
    return;
  const inside = [...FIRST_PROCESS, process.execPath, ...process.execArgv, script, ...words];
  const [setpriv, ...bound] = BOUND;
  const child = spawn(setpriv, [...bound, UNSHARE, ...NAMESPACES, ...inside], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: namespaces() },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => passOn(child.pid ?? 0, signal));
  const status = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(70));
    child.on('close', (code) => resolve(code ?? 70));
  });
  process.exit(status);
}

/** unshare(1) waits for the shell, and that for the program: neither passes on a signal. */
function passOn(unshare: number, signal: NodeJS.Signals): void {
  for (const shell of childrenOf(unshare)) for (const program of childrenOf(shell.pid)) process.kill(program.pid, signal);
}

/** Whether mounts made here are seen by nobody else. */
export function isPrivateWorld(): boolean {
  const outside = process.env[MARK];
  return outside !== undefined && outside !== namespaces();
}

function namespaces(): string {
  return `${readlinkSync('/proc/self/ns/mnt')} ${readlinkSync('/proc/self/ns/pid')}`;
}

/** A tmpfs of so many KiB at `path`, which is made. Gone at the end. */
export function mountTmpfs(path: string, sizeKiB: number, cleanup: Cleanup): void {
  if (!isPrivateWorld()) throw new Error('mounts would be seen by the whole host');
  mkdirSync(path, { recursive: true });
  run('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k,mode=755`, 'tmpfs', path]);
  cleanup.defer(`mount ${path}`, () => run('umount', ['--lazy', path]));
}

export function remount(path: string, how: 'ro' | 'rw'): void {
  run('mount', ['-o', `remount,${how}`, path]);
}

/** Makes one directory read-only; gives what takes that back. */
export function bindReadOnly(path: string): () => void {
  if (!isPrivateWorld()) throw new Error('mounts would be seen by the whole host');
  run('mount', ['--bind', path, path]);
  run('mount', ['-o', 'remount,bind,ro', path]);
  return () => run('umount', [path]);
}

function run(program: string, words: readonly string[]): void {
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr.trim()}`);
}
