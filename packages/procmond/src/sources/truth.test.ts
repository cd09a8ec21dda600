import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '@sentineld/model/error';
import { encodeHostText } from '@sentineld/model/host-text';
import { NAMESPACE_KINDS, type ProcessRecord } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { choosePath } from './control-group.ts';
import { readKernelConstants } from './kernel-constants.ts';
import { createTestSource } from './fixtures/test-source.fixture.ts';
import type { ProcessSource } from './process-source.ts';

/** How many plain processes run beside the hostile ones. */
const CROWD = 290;

let directory = '';
let source: ProcessSource;
const children: ChildProcess[] = [];

function start(command: string, words: readonly string[], options: { readonly uid?: number; readonly argv0?: string } = {}): ChildProcess {
  const child = spawn(command, words, { stdio: 'ignore', ...options });
  children.push(child);
  return child;
}

/** Runs a line of shell that ends in exec, so that the child's pid is that of what it executes. */
const shell = (line: string): ChildProcess => start('/bin/bash', ['-c', line, 'bash', directory]);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-truth-'));
  chmodSync(directory, 0o755);
  source = createTestSource({ openFileLimit: 1024, argvLimitBytes: 131_072 });
  for (let i = 0; i < CROWD; i++) start('/bin/sleep', ['600']);
  start('/bin/sleep', ['600'], { argv0: 'a b\n\u001b[2J) R 1' });
  for (const name of ['sp ace', 'clo)se (', 'new\nline', '\u001b[31mred', 'ünï']) {
    copyFileSync('/bin/sleep', join(directory, name));
    start(join(directory, name), ['600']);
  }
  shell(`file="$1/$(printf 'bad\\377\\200')"; cp /bin/sleep "$file"; exec -a "$(printf 'x\\377y')" "$file" 600`);
  start('/bin/sleep', [`${'0'.repeat(100_000)}600`]);
  shell('sleep 0 & exec sleep 600');
  shell(`mkdir "$1/$(printf 'd\\377r')"; cd "$1/$(printf 'd\\377r')"; exec sleep 600`);
  shell('mkdir "$1/removed"; cd "$1/removed"; rmdir "$1/removed"; exec sleep 600');
  copyFileSync('/bin/sleep', join(directory, 'real (deleted)'));
  start(join(directory, 'real (deleted)'), ['600']);
  if (process.getuid?.() === 0) start('/bin/sleep', ['600'], { uid: 65_534 });
  await vi.waitFor(
    () => {
      expect(children.filter((child) => child.pid === undefined || readlinkSync(`/proc/${child.pid}/exe`).endsWith('/bash'))).toEqual([]);
      expect([...raw().values()].some((seen) => seen.state === 'Z')).toBe(true);
    },
    { timeout: 15_000 },
  );
});
afterAll(() => {
  source.close();
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

type RawProcess = {
  readonly ids: string;
  readonly login: number | null;
  readonly cwd: string | null;
  readonly group: string | null;
  readonly namespaces: string | null;
  readonly ppid: number;
  readonly startTicks: number;
  readonly state: string;
  readonly uid: number;
  readonly comm: string;
  readonly argv: string;
};

/** The plainest reader there is: whole files, no cache, nothing shared with the source. Strings as latin1, that is as bytes. */
function raw(): Map<number, RawProcess> {
  const found = new Map<number, RawProcess>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const state = fields[0] ?? '';
      found.set(Number(name), {
        ppid: Number(fields[1]),
        startTicks: Number(fields[19]),
        state: state === 'Z' ? 'Z' : 'alive',
        uid: statSync(`/proc/${name}`).uid,
        comm: readFileSync(`/proc/${name}/comm`, 'latin1')
          .slice(0, -1)
          .replace(/^(kworker\/u?\d+:\d+H?)[-+].*$/, '$1'),
        argv: readFileSync(`/proc/${name}/cmdline`, 'latin1'),
        ...surroundings(name),
      });
    } catch {
      // Gone between two reads: not a process that was there before and after.
    }
  }
  return found;
}

const NOTHING = new Set(['ENOENT', 'ESRCH']);

/** What a link says; null where there is none or it is withheld. */
function linkOf(path: string): string | null {
  try {
    return readlinkSync(path, 'latin1');
  } catch (cause) {
    if (NOTHING.has(errnoOf(cause) ?? '') || errnoOf(cause) === 'EACCES') return null;
    throw cause;
  }
}

/** Real user and group, login user, working directory, control group and namespaces. */
function surroundings(pid: string): Pick<RawProcess, 'ids' | 'login' | 'cwd' | 'group' | 'namespaces'> {
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1');
  const status = read('status');
  const login = Number(read('loginuid'));
  const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'].map((kind) => linkOf(`/proc/${pid}/ns/${kind}`));
  return {
    ids: ['Uid', 'Gid'].map((name) => new RegExp(`^${name}:\t(\\d+)`, 'm').exec(status)?.[1]).join(' '),
    login: login === 0xffff_ffff ? null : login,
    cwd: linkOf(`/proc/${pid}/cwd`),
    group: choosePath(read('cgroup')),
    namespaces: kinds.includes(null) ? null : kinds.join(' '),
  };
}

const bytes = (text: string): string => Buffer.from(encodeHostText(text)).toString('latin1');

function facts(process: ProcessRecord): RawProcess {
  const { image } = process;
  return {
    ppid: image.ppid,
    startTicks: process.startTicks,
    state: process.status === 'zombie' ? 'Z' : 'alive',
    uid: image.userId ?? -1,
    comm: bytes(image.name),
    argv: (image.argv ?? []).map((argument) => `${bytes(argument)}\0`).join(''),
    ids: `${image.realUserId} ${image.realGroupId}`,
    login: image.loginUserId,
    cwd: image.cwd === null ? null : bytes(image.cwd),
    group: image.controlGroup === null ? null : bytes(image.controlGroup.path),
    namespaces: image.namespaces === null ? null : NAMESPACE_KINDS.map((kind) => `${kind}:[${image.namespaces?.[kind]}]`).join(' '),
  };
}

/** A title that a process wrote over its arguments need not end with NUL; the source keeps the words, not that. */
const ended = (process: RawProcess): RawProcess => ({
  ...process,
  argv: process.argv === '' || process.argv.endsWith('\0') ? process.argv : `${process.argv}\0`,
});

function scanBetween(from: ProcessSource = source): { readonly stable: Map<number, RawProcess>; readonly scan: Scan } {
  const before = raw();
  const scan = from.scan();
  const after = raw();
  const stable = new Map(
    [...before].filter(([pid, seen]) => JSON.stringify(after.get(pid)) === JSON.stringify(seen)).map(([pid, seen]) => [pid, ended(seen)]),
  );
  return { stable, scan };
}

let scansMade = 0;

describe('a scan of 300 processes, hostile ones among them', () => {
  it('says the same of every process without the addon', () => {
    const plain = createTestSource({ openFileLimit: 1024, argvLimitBytes: 131_072, native: null });
    const { stable, scan } = scanBetween(plain);
    expect(stable.size).toBeGreaterThan(CROWD);
    const seen = new Map(scan.processes.map((process) => [process.pid, facts(process)]));
    for (const [pid, expected] of stable) expect({ pid, ...seen.get(pid) }).toEqual({ pid, ...expected });
    plain.close();
  });

  it.each([1, 2, 3, 10, 40])('says of every process what raw /proc says before and after: scan %d', (number) => {
    for (; scansMade < number - 1; scansMade++) source.scan();
    scansMade++;
    const { stable, scan } = scanBetween();
    expect(stable.size).toBeGreaterThan(CROWD);
    const seen = new Map(scan.processes.map((process) => [process.pid, facts(process)]));
    for (const [pid, expected] of stable) expect({ pid, ...seen.get(pid) }).toEqual({ pid, ...expected });
  });

  it('keeps names, paths and arguments byte for byte', () => {
    const { scan } = scanBetween();
    const mine = scan.processes.filter((process) => process.image.exe?.path.startsWith(directory));
    expect(
      mine
        .map((process) => process.image.name)
        .filter((name) => name.startsWith('bad'))
        .map(bytes),
    ).toEqual(['bad\xff\x80']);
    const paths = mine
      .map((process) => bytes(process.image.exe?.path ?? '').slice(Buffer.byteLength(directory) + 1))
      .toSorted((a, b) => (a < b ? -1 : 1));
    expect(paths).toEqual(
      ['\x1b[31mred', 'bad\xff\x80', 'clo)se (', 'new\nline', 'real (deleted)', 'sp ace', Buffer.from('ünï').toString('latin1')].toSorted(
        (a, b) => (a < b ? -1 : 1),
      ),
    );
    expect(mine.every((process) => !process.image.exeDeleted)).toBe(true);
    const longest = Math.max(...scan.processes.map((process) => process.image.argv?.[1]?.length ?? 0));
    expect(longest).toBeGreaterThanOrEqual(100_003);
  });

  it('marks an executable as deleted in the scan after it was, keeps its path, and notices the end of a process', () => {
    const victim = children.find((child) => child.spawnfile.endsWith('sp ace'));
    rmSync(join(directory, 'sp ace'));
    const find = () => source.scan().processes.find((process) => process.pid === victim?.pid);
    expect(find()?.image).toMatchObject({ exeDeleted: true, exe: { path: join(directory, 'sp ace') } });
    expect(find()?.image).toBe(find()?.image);
  });

  it('gives the start time to the tick', () => {
    const { ticksPerSecond, bootTimeMs } = readKernelConstants();
    const self = source.scan().processes.find((one) => one.pid === process.pid);
    expect(self?.image.startTimeMs).toBe(bootTimeMs + Math.round(((self?.startTicks ?? 0) * 1000) / ticksPerSecond));
    expect(Math.abs((self?.image.startTimeMs ?? 0) - (Date.now() - process.uptime() * 1000))).toBeLessThan(5000);
  });

  it('finds the same with hardly any descriptor to hold', () => {
    const poor = createTestSource({ openFileLimit: 260, argvLimitBytes: 131_072 });
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const pids = (scan: Scan): Set<number> =>
      new Set(scan.processes.map(({ pid }) => pid).filter((pid) => children.some((child) => child.pid === pid)));
    expect(pids(poor.scan())).toEqual(pids(source.scan()));
    expect(pids(poor.scan())).toEqual(pids(source.scan()));
    const held = descriptors();
    poor.close();
    expect(held - descriptors()).toBeLessThanOrEqual(4);
  });
});
