import { spawn, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { loadNative } from '@sentineld/native/addon';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RawEvent } from './event-source.ts';
import { createKernelEvents, RECEIVE_BUFFER_BYTES, type KernelEvents } from './kernel-events.ts';

const LIVES = 2000;
const ARGV_LIMIT = 4096;
const ESC = '\u001b';

const availability = loadNative();
/** Null where this process may listen to the kernel, or why not. */
function whyDeaf(): string | null {
  if (!availability.available) return availability.reason;
  try {
    closeSync(availability.native.openProcessEvents(65_536).fd);
    return null;
  } catch (cause) {
    return String(cause);
  }
}
const deaf = whyDeaf();
if (deaf !== null) console.warn(`Skipped: kernel-events.test.ts needs the kernel's process connector (${deaf})`);

describe.skipIf(deaf !== null)('events of the kernel', () => {
  let directory = '';
  let source: KernelEvents;
  let seen: RawEvent[] = [];
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-kernel-events-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  beforeEach(() => {
    if (!availability.available) throw new Error(availability.reason);
    const { native } = availability;
    source = createKernelEvents({ native, descriptor: native.openProcessEvents(RECEIVE_BUFFER_BYTES).fd, argvLimitBytes: ARGV_LIMIT });
    seen = [];
  });
  afterEach(() => source.close());

  const drainAll = (): RawEvent[] => {
    for (let events = source.drain(100); events.length > 0; events = source.drain(100)) seen.push(...events);
    return seen;
  };
  /** Waits until a process's end was told, and gives everything that was told of it. */
  async function lifeOf(pid: number | undefined): Promise<RawEvent[]> {
    await expect.poll(() => drainAll().some((event) => event.pid === pid && event.kind === 'exit')).toBe(true);
    return seen.filter((event) => event.pid === pid);
  }

  /** What was told of a process's children; their pids may be those of others before and after. */
  function childrenOf(mother: number): { readonly born: number; readonly execs: number; readonly exits: readonly RawEvent[] } {
    const alive = new Set<number>();
    const exits: RawEvent[] = [];
    let [born, execs] = [0, 0];
    for (const event of seen) {
      const { kind, pid } = event;
      const isOne = kind === 'fork' ? event.ppid === mother : alive.has(pid);
      if (kind === 'fork' && isOne) born++;
      if (kind === 'exec' && isOne) execs++;
      if (kind === 'exit' && isOne) exits.push(event);
      if (isOne && kind !== 'exit') alive.add(pid);
      else alive.delete(pid);
    }
    return { born, execs, exits };
  }

  it('tell of every one of many short lives, or how many are missing', async () => {
    const mother = spawnSync('/bin/sh', ['-c', `i=0; while [ $i -lt ${LIVES} ]; do /bin/true; i=$((i+1)); done`]);
    await lifeOf(mother.pid);
    const { born, execs, exits } = childrenOf(mother.pid);
    const { lost, dropped } = source.counts();
    if (lost + dropped === 0) expect([born, execs, exits.length]).toEqual([LIVES, LIVES, LIVES]);
    expect(3 * LIVES - born - execs - exits.length).toBeLessThanOrEqual(lost + dropped);
    expect(exits.every(({ exitCode, exitSignal }) => exitCode === 0 && exitSignal === null)).toBe(true);
    const { received } = source.allCounts();
    expect(received).toBeGreaterThanOrEqual(seen.length);
    const missed = (): number => drainAll().filter(({ kind, argv }) => kind === 'exec' && argv === null).length;
    await expect.poll(() => source.counts().argvMissed - missed()).toBe(0);
  });

  it('tell what runs, who runs it and since when', async () => {
    const child = spawn('/bin/sh', ['-c', 'read line; exit 3', 'a b', ''], { stdio: ['pipe', 'ignore', 'ignore'] });
    await expect.poll(() => drainAll().some(({ kind, pid }) => kind === 'exec' && pid === child.pid)).toBe(true);
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
    child.stdin.end('\n');
    const [fork, exec, exit, ...more] = await lifeOf(child.pid);
    expect(more).toEqual([]);
    expect(fork).toMatchObject({ kind: 'fork', ppid: process.pid, argv: null, name: null });
    expect(exec).toMatchObject({
      kind: 'exec',
      ppid: process.pid,
      startTicks: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]),
      userId: process.getuid?.(),
      groupId: process.getgid?.(),
      name: 'sh',
      exePath: expect.stringMatching(/^\/.*sh$/),
      argv: ['/bin/sh', '-c', 'read line; exit 3', 'a b', ''],
      exitCode: null,
    });
    expect(exit).toMatchObject({ kind: 'exit', exitCode: 3, exitSignal: null });
    const times = [fork?.monotonicMs ?? 0, exec?.monotonicMs ?? 0, exit?.monotonicMs ?? 0];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(Number(process.hrtime.bigint()) / 1e6 - (times[2] ?? 0)).toBeLessThan(3_600_000);
  });

  it.each([
    ['SIGKILL', 9],
    ['SIGTERM', 15],
  ] as const)('tell that %s ended a process', async (name, number) => {
    const child = spawn('/bin/sleep', ['600'], { stdio: 'ignore' });
    await expect.poll(() => drainAll().some(({ kind, pid }) => kind === 'exec' && pid === child.pid)).toBe(true);
    child.kill(name);
    expect((await lifeOf(child.pid)).at(-1)).toMatchObject({ kind: 'exit', exitCode: null, exitSignal: number });
  });

  it.each([
    ['a newline', 'new\nline'],
    ['an escape', `${ESC}[31mred`],
    ['parentheses', 'a) R 1 1 ('],
    ['a wrong ending', 'gone (deleted)'],
    ['other letters', 'größe'],
  ])('hold a name with %s as it is', async (_what, name) => {
    const path = join(directory, name);
    copyFileSync('/bin/sleep', path);
    const child = spawn(path, ['600'], { argv0: `${name}\n${ESC}`, stdio: 'ignore' });
    await expect.poll(() => drainAll().some(({ kind, pid }) => kind === 'exec' && pid === child.pid)).toBe(true);
    child.kill('SIGKILL');
    const exec = (await lifeOf(child.pid)).find(({ kind }) => kind === 'exec');
    expect(exec).toMatchObject({ name, argv: [`${name}\n${ESC}`, '600'], exePath: path.replace(/ \(deleted\)$/, '') });
  });

  it('cut arguments at the limit', async () => {
    const child = spawn('/bin/sleep', [...Array.from({ length: 15 }, () => '0'.repeat(100_000)), '600'], { stdio: 'ignore' });
    await expect.poll(() => drainAll().some(({ kind, pid }) => kind === 'exec' && pid === child.pid)).toBe(true);
    child.kill('SIGKILL');
    const exec = (await lifeOf(child.pid)).find(({ kind }) => kind === 'exec');
    expect(exec?.argv).toEqual(['/bin/sleep', '0'.repeat(ARGV_LIMIT - '/bin/sleep'.length - 1)]);
  });

  it('name what a script runs in, and the program where it was called through a link', async () => {
    const script = join(directory, 'script');
    writeFileSync(script, '#!/bin/sh\nread line\n', { mode: 0o755 });
    symlinkSync('/bin/sleep', join(directory, 'link'));
    const children = [spawn(script, ['x'], { stdio: ['pipe', 'ignore', 'ignore'] }), spawn(join(directory, 'link'), ['600'])];
    const pids = children.map(({ pid }) => pid);
    await expect.poll(() => pids.every((pid) => drainAll().some((event) => event.kind === 'exec' && event.pid === pid))).toBe(true);
    for (const child of children) child.kill('SIGKILL');
    const [first, second] = pids.map((pid) => seen.find((event) => event.kind === 'exec' && event.pid === pid));
    expect(first).toMatchObject({ name: 'script', exePath: expect.stringMatching(/sh$/), argv: ['/bin/sh', script, 'x'] });
    expect(second).toMatchObject({ name: 'link', exePath: expect.stringMatching(/\/sleep$|\/coreutils$/) });
  });

  it('tell of no thread', async () => {
    const worker = new Worker('', { eval: true });
    await new Promise((resolve) => worker.once('exit', resolve));
    await lifeOf(spawnSync('/bin/true').pid);
    expect(seen.filter(({ kind, ppid }) => kind === 'fork' && ppid === process.pid).length).toBe(1);
    expect(seen.filter(({ kind, pid }) => kind === 'exit' && pid === process.pid)).toEqual([]);
  });

  it('are given in parts, and not after the end', async () => {
    const { pid } = spawnSync('/bin/sh', ['-c', '/bin/true; /bin/true']);
    await expect.poll(() => source.allCounts().exits).toBeGreaterThanOrEqual(3);
    for (let events = source.drain(1); events.length > 0; events = source.drain(1)) {
      expect(events).toHaveLength(1);
      seen.push(...events);
    }
    expect(seen.filter(({ ppid }) => ppid === pid).map(({ kind }) => kind)).toEqual(expect.arrayContaining(['fork', 'fork']));
    source.close();
    source.close();
    const counts = source.allCounts();
    spawnSync('/bin/true');
    expect(source.drain(10)).toEqual([]);
    expect(source.allCounts()).toEqual(counts);
  });
});
