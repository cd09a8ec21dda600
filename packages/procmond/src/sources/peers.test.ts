/**
 * Two independent readers, ps(1) and ps-list, beside a scan. They rewrite what they show: names and arguments are
 * compared where they cannot have (printable ASCII of a living process that is no kernel thread).
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ProcessRecord } from '@sentineld/model/process';
import psList from 'ps-list';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestSource } from './fixtures/test-source.fixture.ts';
import type { ProcessSource } from './process-source.ts';

const CROWD = 60;
const hasPs = spawnSync('ps', ['--version']).status === 0;

let directory = '';
let source: ProcessSource;
const children: ChildProcess[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-peers-'));
  source = createTestSource({ openFileLimit: 1024, argvLimitBytes: 131_072 });
  const start = (command: string, words: readonly string[], argv0 = command): void => {
    children.push(spawn(command, words, { stdio: 'ignore', argv0 }));
  };
  for (let i = 0; i < CROWD; i++) start('/bin/sleep', [`${600 + i}`]);
  for (const name of ['sp ace', 'clo)se (', 'new\nline', '\u001b[31mred', 'ünï', 'seventeen-letters']) {
    copyFileSync('/bin/sleep', join(directory, name));
    start(join(directory, name), ['600']);
  }
  start('/bin/sleep', ['600'], 'other name');
  children.push(spawn('/bin/bash', ['-c', 'sleep 0 & exec sleep 600'], { stdio: 'ignore' }));
  const hasExeced = (child: ChildProcess): boolean => !/\/(node|bash)$/.test(readlinkSync(`/proc/${child.pid}/exe`));
  await vi.waitFor(() => expect(children.every(hasExeced)).toBe(true), { timeout: 15_000 });
});
afterAll(() => {
  source.close();
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

/** What a peer says of a process; null where it may have rewritten it. */
type Told = { readonly ppid: number; readonly uid: number; readonly name: string | null; readonly args: string | null };

const PRINTABLE = /^[ -~]*$/;

function told(process: ProcessRecord): Told {
  const { image } = process;
  // Neither shows the blanks that a process put behind its title.
  const text = (image.argv ?? []).join(' ').trimEnd();
  const isPlain = process.status !== 'zombie' && !image.isKernelThread && PRINTABLE.test(image.name) && PRINTABLE.test(text);
  return { ppid: image.ppid, uid: image.userId ?? -1, name: isPlain ? image.name : null, args: isPlain && text !== '' ? text : null };
}

/** As `told`, but ps-list calls a process by its file where it may know it. */
function toldByFile(process: ProcessRecord): Told {
  const { exe, exeDeleted } = process.image;
  const ours = told(process);
  // It takes off what looks like the kernel's word.
  const isNamed = ours.name !== null && exe !== null && !exeDeleted && PRINTABLE.test(exe.path) && !exe.path.endsWith(' (deleted)');
  return { ...ours, name: isNamed ? basename(exe.path) : null };
}

/** Holds every process that is alike in scans before and after the peer's look against what the peer says, and gives them. */
async function holdAgainst(
  look: () => Promise<ReadonlyMap<number, Told>> | ReadonlyMap<number, Told>,
  tell: (process: ProcessRecord) => Told,
): Promise<ReadonlyMap<number, Told>> {
  const before = new Map(source.scan().processes.map((process) => [process.pid, { ticks: process.startTicks, ...tell(process) }]));
  const theirs = await look();
  const held = new Map<number, Told>();
  for (const process of source.scan().processes) {
    const ours = tell(process);
    const earlier = before.get(process.pid);
    if (JSON.stringify({ ticks: process.startTicks, ...ours }) !== JSON.stringify(earlier)) continue;
    const their = theirs.get(process.pid);
    const seen = their && { ...their, name: ours.name === null ? null : their.name, args: ours.args === null ? null : their.args };
    expect({ pid: process.pid, ...seen }).toEqual({ pid: process.pid, ...ours });
    held.set(process.pid, ours);
  }
  return held;
}

function ofPs(): ReadonlyMap<number, Told> {
  const lines = execFileSync('ps', ['-ww', '-eo', 'pid=,ppid=,uid=,comm:20=,args='], { encoding: 'latin1', maxBuffer: 1 << 26 });
  return new Map(
    lines.split('\n').flatMap((line) => {
      const fields = /^ *(\d+) +(\d+) +(\d+) (.{20}) (.*)$/.exec(line);
      if (fields === null) return [];
      const [, pid, ppid, uid, name = '', args = ''] = fields;
      return [[Number(pid), { ppid: Number(ppid), uid: Number(uid), name: name.trimEnd(), args: args.trimEnd() }] as const];
    }),
  );
}

describe.skipIf(!hasPs)('a scan agrees (needs ps)', () => {
  const names = (held: ReadonlyMap<number, Told>): (string | null)[] => children.map(({ pid }) => held.get(pid ?? 0)?.name ?? null);

  // A process of another test may change between the two looks.
  it('with ps', { retry: 2 }, async () => {
    const held = await holdAgainst(ofPs, told);
    expect(children.filter(({ pid }) => !held.has(pid ?? 0))).toEqual([]);
    expect(names(held)).toEqual(expect.arrayContaining(['sleep', 'sp ace', 'clo)se (', 'seventeen-lette']));
  });

  it('with ps-list', { retry: 2 }, async () => {
    const held = await holdAgainst(async () => {
      const list = await psList();
      return new Map(list.map(({ pid, ppid, uid, name, cmd }) => [pid, { ppid, uid: uid ?? -1, name, args: cmd ?? null }]));
    }, toldByFile);
    expect(children.filter(({ pid }) => !held.has(pid ?? 0))).toEqual([]);
    expect(names(held)).toEqual(expect.arrayContaining(['sleep', 'sp ace', 'clo)se (', 'seventeen-letters']));
  });
});
