/**
 * Small file systems for faults. As root the program goes on in a mount namespace of its own first: what is mounted
 * there is seen by nobody else and is gone with the last process in it, also after SIGKILL.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readlinkSync } from 'node:fs';
import type { Cleanup } from './cleanup.ts';

const MARK = 'SENTINELD_FAULT_NAMESPACE';
const UNSHARE = '/usr/bin/unshare';

/** As root: replaces this program by itself in a new mount namespace, once. */
export function becomePrivate(): void {
  if (process.getuid?.() !== 0 || process.env[MARK] !== undefined || !existsSync(UNSHARE) || process.execve === undefined) return;
  const [, script, ...words] = process.argv;
  if (script === undefined) return;
  process.execve(UNSHARE, [UNSHARE, '--mount', '--propagation', 'private', process.execPath, ...process.execArgv, script, ...words], {
    ...process.env,
    [MARK]: readlinkSync('/proc/self/ns/mnt'),
  });
}

/** Whether mounts made here stay here. */
export function hasPrivateMounts(): boolean {
  const before = process.env[MARK];
  return before !== undefined && before !== readlinkSync('/proc/self/ns/mnt');
}

/** A tmpfs of so many KiB at `path`, which is made. Gone at the end. */
export function mountTmpfs(path: string, sizeKiB: number, cleanup: Cleanup): void {
  if (!hasPrivateMounts()) throw new Error('mounts would be seen by the whole host: there is no namespace');
  mkdirSync(path, { recursive: true });
  mount(['-t', 'tmpfs', '-o', `size=${sizeKiB}k,mode=755`, 'tmpfs', path]);
  cleanup.defer(`mount ${path}`, () => command('umount', ['--lazy', path]));
}

export function remount(path: string, how: 'ro' | 'rw'): void {
  mount(['-o', `remount,${how}`, path]);
}

function mount(words: readonly string[]): void {
  command('mount', words);
}

function command(program: string, words: readonly string[]): void {
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr.trim()}`);
}
