/**
 * A world of its own for the campaign. As root the program starts itself anew in new mount and pid namespaces: what is
 * mounted there nobody else sees, the daemons see only what the campaign started, and all of it is gone with the first
 * process in it, also after SIGKILL. Campaigns that need the kernel's process events keep the host's pids: the kernel
 * tells of them in no other pid namespace. For other users it stays where it is.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readlinkSync } from 'node:fs';
import type { Cleanup } from './cleanup.ts';
import { childrenOf } from './processes.ts';

const MARK = 'SENTINELD_FAULT_WORLD';
const UNSHARE = '/usr/bin/unshare';
/** So that it does not outlive this program, whatever ends that. */
const BOUND = ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--'] as const;
const OWN_MOUNTS = ['--mount', '--propagation', 'private'];
const OWN_PIDS = ['--pid', '--fork', '--kill-child', '--mount-proc'];
/** The first process of a pid namespace must wait for orphans, which a shell does and Node does not. */
const FIRST_PROCESS = ['/bin/sh', '-c', '"$@"; exit $?', 'sh'];

export type World = 'own pids' | 'host pids';

/**
 * Starts this program anew with `words` in a new world and gives its exit status; null where it is in one already, or
 * there can be none.
 */
export async function runInPrivateWorld(world: World, words: readonly string[]): Promise<number | null> {
  const [, script] = process.argv;
  if (process.getuid?.() !== 0 || process.env[MARK] !== undefined || !existsSync(UNSHARE) || !existsSync(BOUND[0]) || script === undefined)
    return null;
  const program = [process.execPath, ...process.execArgv, script, ...words];
  const inside = world === 'own pids' ? [...OWN_MOUNTS, ...OWN_PIDS, ...FIRST_PROCESS, ...program] : [...OWN_MOUNTS, ...program];
  const [setpriv, ...bound] = BOUND;
  const child = spawn(setpriv, [...bound, UNSHARE, ...inside], { stdio: 'inherit', env: { ...process.env, [MARK]: namespaces() } });
  const passOn = world === 'own pids' ? passToGrandchildren : signalOne;
  const signals = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => {
    const listener = (): void => passOn(child.pid ?? 0, signal);
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  const status = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(70));
    child.on('close', (code) => resolve(code ?? 70));
  });
  for (const forget of signals) forget();
  return status;
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  if (pid > 0) process.kill(pid, signal);
}

/** unshare(1) waits for the shell, and that for the program: neither passes on a signal. */
function passToGrandchildren(unshare: number, signal: NodeJS.Signals): void {
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

/** What /proc tells users of each other's processes (proc(5)): all, that they are there, nothing, nothing of whom they may not trace. */
export type HidePid = '0' | '1' | '2' | '4';

/** For the /proc of this world alone; shown again at the end. */
export function remountProc(hidden: HidePid, cleanup: Cleanup): void {
  if (!isPrivateWorld() || process.env[MARK]?.split(' ')[1] === readlinkSync('/proc/self/ns/pid'))
    throw new Error('/proc is that of the host');
  const show = (how: HidePid): void => run('mount', ['-o', `remount,hidepid=${how}`, '/proc']);
  if (hidden !== '0') cleanup.defer('hidden processes', () => show('0'));
  show(hidden);
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
