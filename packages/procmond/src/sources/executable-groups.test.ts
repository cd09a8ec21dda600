import type { ExecutableFile, ProcessImage, ProcessRecord } from '@sentineld/model/process';
import { describe, expect, it } from 'vitest';
import { createExecutableGroups } from './executable-groups.ts';
import { newlyMet } from './known-process.ts';

const file = (inode: number, path = `/bin/${inode}`): ExecutableFile => ({
  path,
  dev: '1',
  inode: String(inode),
  sizeBytes: 1,
  mtimeNs: '1',
  ctimeNs: '1',
});

function running(pid: number, exe: ExecutableFile | null, changes: Partial<ProcessImage> = {}): ProcessRecord {
  const process = newlyMet(pid, 1, -1);
  process.image = { ...process.image, exe, ...changes };
  return process;
}

/** Groups that note whom they asked; files of which a pid is in `deleted` are gone, pids in `gone` cannot be asked. */
function groupsOf(deleted: ReadonlySet<number>, gone: ReadonlySet<number> = new Set()) {
  const asked: number[] = [];
  const groups = createExecutableGroups((base) => {
    const pid = Number(base.slice('/proc/'.length));
    asked.push(pid);
    return gone.has(pid) ? null : deleted.has(pid);
  });
  return { groups, asked };
}

describe('refreshDeleted', () => {
  it('looks at each file once, however many run it', () => {
    const { groups, asked } = groupsOf(new Set());
    const processes = Array.from({ length: 1000 }, (_, pid) => running(pid + 1, file(pid % 7)));
    for (const process of processes) groups.join(process);
    const images = processes.map(({ image }) => image);
    groups.refreshDeleted();
    expect(asked).toHaveLength(7);
    expect(processes.every(({ image }, index) => image === images[index])).toBe(true);
  });

  it('gives each process of a file that is gone a new image that says so, and then does not look again', () => {
    const { groups, asked } = groupsOf(new Set([1]));
    const [a, b, other] = [running(1, file(5)), running(2, file(5, '/another/name')), running(3, file(6))];
    for (const process of [a, b, other]) groups.join(process);
    const before = [a.image, b.image, other.image];
    groups.refreshDeleted();
    expect([a, b, other].map(({ image }) => image.exeDeleted)).toEqual([true, true, false]);
    expect([a.image === before[0], b.image === before[1], other.image === before[2]]).toEqual([false, false, true]);
    expect(b.image).toEqual({ ...before[1], exeDeleted: true });
    const after = a.image;
    asked.length = 0;
    groups.refreshDeleted();
    expect(asked).toEqual([3]);
    expect(a.image).toBe(after);
  });

  it('asks the next one where a process went away meanwhile', () => {
    const { groups, asked } = groupsOf(new Set([3]), new Set([1, 2]));
    const processes = [1, 2, 3].map((pid) => running(pid, file(5)));
    for (const process of processes) groups.join(process);
    groups.refreshDeleted();
    expect(asked).toEqual([1, 2, 3]);
    expect(processes.every(({ image }) => image.exeDeleted)).toBe(true);
  });

  it('says nothing of a file that nobody can be asked about', () => {
    const { groups } = groupsOf(new Set([1]), new Set([1]));
    const process = running(1, file(5));
    groups.join(process);
    const { image } = process;
    groups.refreshDeleted();
    expect(process.image).toBe(image);
  });

  it('leaves out who has no executable, and who left', () => {
    const { groups, asked } = groupsOf(new Set());
    const [kernelThread, left] = [running(2, null), running(3, file(5))];
    for (const process of [kernelThread, left]) groups.join(process);
    groups.leave(left);
    groups.leave(left);
    groups.leave(kernelThread);
    groups.refreshDeleted();
    expect(asked).toEqual([]);
  });
});

describe('memberOf', () => {
  it('is a process that runs the file, as long as one does', () => {
    const { groups } = groupsOf(new Set());
    const [a, b] = [running(1, file(5)), running(2, file(5))];
    expect(groups.memberOf(file(5))).toBeNull();
    for (const process of [a, b]) groups.join(process);
    expect(groups.memberOf(file(5, '/whatever/path'))).toBe(a);
    groups.leave(a);
    expect(groups.memberOf(file(5))).toBe(b);
    groups.leave(b);
    expect(groups.memberOf(file(5))).toBeNull();
  });

  it('tells files of different devices apart', () => {
    const { groups } = groupsOf(new Set());
    groups.join(running(1, file(5)));
    expect(groups.memberOf({ ...file(5), dev: '2' })).toBeNull();
  });
});
