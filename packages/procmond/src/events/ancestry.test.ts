import type { ProcessRecord } from '@sentineld/model/process';
import type { Command } from '@sentineld/model/process-event';
import { describe, expect, it } from 'vitest';
import { NO_IMAGE } from '../sources/known-process.ts';
import { createAncestry, type Ancestry } from './ancestry.ts';

const command = (name: string): Command => ({ name, exePath: `/bin/${name}`, argv: [name], redacted: 0 });

function scanned(pid: number, name: string, startTicks = 100, ppid = 1): ProcessRecord {
  const image = { ...NO_IMAGE, name, ppid, argv: [name], userId: 7, groupId: 8 };
  return { pid, startTicks, image, cpuPercent: null, memoryBytes: 0, threads: 1, status: 'sleeping' };
}

const scannedParent = scanned(10, 'cron');

/** As a scan has it: without an executable. */
const commandOf = (name: string): Command => ({ name, exePath: null, argv: [name], redacted: 0 });

function exec(ancestry: Ancestry, pid: number, name: string, ppid: number | null = null, startTicks = 500) {
  return ancestry.execed(pid, { startTicks, ppid, userId: 1, groupId: 2, command: command(name) });
}

describe('the parent of an exec', () => {
  it('is who forked it, also where that one has ended since', () => {
    const ancestry = createAncestry(() => null);
    exec(ancestry, 10, 'sshd');
    ancestry.forked(11, 10);
    ancestry.exited(10);
    // By now the kernel says that its parent is 1.
    expect(exec(ancestry, 11, 'sh', 1)).toMatchObject({ ppid: 10, parent: command('sshd'), command: command('sh') });
  });

  it('is what the parent ran when it forked, whatever it runs now', () => {
    const ancestry = createAncestry(() => null);
    exec(ancestry, 10, 'sh');
    ancestry.forked(11, 10);
    exec(ancestry, 10, 'other');
    expect(exec(ancestry, 11, 'ls').parent).toEqual(command('sh'));
    expect(exec(ancestry, 11, 'again').parent).toEqual(command('sh'));
  });

  it('is taken from the newest scan where no event told of it', () => {
    const ancestry = createAncestry((pid) => (pid === 10 ? scanned(10, 'cron') : null));
    expect(exec(ancestry, 11, 'sh', 10).parent).toMatchObject({ name: 'cron', argv: ['cron'] });
    ancestry.forked(12, 10);
    expect(exec(ancestry, 12, 'sh').parent).toMatchObject({ name: 'cron' });
    expect(exec(ancestry, 13, 'sh', 99).parent).toBeNull();
  });

  it('is nobody who started later: that pid was given away again', () => {
    const ancestry = createAncestry(() => scanned(10, 'stranger', 900));
    expect(exec(ancestry, 11, 'sh', 10, 500)).toMatchObject({ ppid: 10, parent: null });
    expect(exec(ancestry, 12, 'sh', 10, 900).parent).toMatchObject({ name: 'stranger' });
  });
});

describe('an exit', () => {
  it('says what ran, and is the end of it', () => {
    const ancestry = createAncestry(() => null);
    exec(ancestry, 10, 'sh', 5);
    expect(ancestry.exited(10)).toMatchObject({ ppid: 5, startTicks: 500, userId: 1, command: command('sh') });
    expect(ancestry.exited(10)).toBeNull();
    expect(ancestry.size()).toBe(0);
  });

  it('of one that forked and never called exec has the command of its parent', () => {
    const ancestry = createAncestry(() => null);
    exec(ancestry, 10, 'nginx');
    ancestry.forked(11, 10);
    expect(ancestry.exited(11)).toMatchObject({ ppid: 10, command: command('nginx'), parent: command('nginx') });
  });

  it('of one that only a scan knew is told from there', () => {
    const ancestry = createAncestry(() => scanned(10, 'old', 3, 2));
    expect(ancestry.exited(10)).toMatchObject({ ppid: 2, startTicks: 3, userId: 7, groupId: 8 });
  });
});

describe('what is remembered', () => {
  it('is forgotten where neither scans nor events know of it any more', () => {
    const ancestry = createAncestry((pid) => (pid === 10 ? scanned(10, 'lives') : null));
    exec(ancestry, 10, 'lives');
    exec(ancestry, 11, 'its end was lost');
    ancestry.follow();
    expect(ancestry.size()).toBe(2);
    exec(ancestry, 12, 'new');
    ancestry.follow();
    expect(ancestry.size()).toBe(3);
    ancestry.follow();
    expect(ancestry.size()).toBe(2);
    ancestry.follow();
    expect(ancestry.size()).toBe(1);
    expect(ancestry.exited(10)).not.toBeNull();
  });

  it('is the very command of the scan where that is the same, and its own where it is another', () => {
    const records = new Map([
      [10, scanned(10, 'same', 500)],
      [11, scanned(11, 'other', 500)],
      [12, scanned(12, 'same', 501)],
    ]);
    const ancestry = createAncestry((pid) => records.get(pid) ?? null);
    for (const pid of [10, 11, 12]) ancestry.execed(pid, { startTicks: 500, ppid: 1, userId: 1, groupId: 2, command: commandOf('same') });
    ancestry.follow();
    const kept = [10, 11, 12].map((pid) => ancestry.exited(pid)?.command ?? null);
    expect(kept).toEqual([commandOf('same'), commandOf('same'), commandOf('same')]);
    expect(kept.map((command, index) => command?.argv === records.get(10 + index)?.image.argv)).toEqual([true, false, false]);
  });

  it('is one command for all who have the same parent', () => {
    const ancestry = createAncestry((pid) => (pid === 10 ? scannedParent : null));
    const parents = [11, 12, 13].map((pid) => exec(ancestry, pid, 'sh', 10).parent);
    expect(new Set(parents).size).toBe(1);
  });

  it('is bounded, whoever forks', () => {
    const ancestry = createAncestry(() => null);
    for (let pid = 1; pid <= 40_000; pid++) ancestry.forked(pid, null);
    expect(ancestry.size()).toBe(32_768);
    expect(ancestry.exited(1)).toBeNull();
    expect(ancestry.exited(40_000)).not.toBeNull();
  });
});
