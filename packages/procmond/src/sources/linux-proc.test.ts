import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTestSource } from './fixtures/test-source.fixture.ts';
import { until, watchCrew } from './fixtures/watched-crew.fixture.ts';

const world = watchCrew();
const { find, see, sleeper } = world;
const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

describe('a process that changes', () => {
  it('by exec is the same process with another image', async () => {
    const other = world.crew.copyOfSleep('other');
    const member = world.crew.shell(`echo up; read x; exec ${other} 1000`);
    expect(await member.line()).toBe('up');
    const before = { ...see(member) };
    member.write('go');
    await until(() => see(member).image.argv).toEqual([other, '1000']);
    const after = see(member);
    expect([after.pid, after.startTicks]).toEqual([before.pid, before.startTicks]);
    expect(after.image).not.toBe(before.image);
    expect(after.image).toMatchObject({ name: 'other', argv: [other, '1000'], exe: { path: other } });
    const { ppid, startTimeMs, userId, userName, groupId, sessionId, ttyNumber } = before.image;
    expect(after.image).toMatchObject({ ppid, startTimeMs, userId, userName, groupId, sessionId, ttyNumber });
  });

  it('by exec is noticed though it keeps its name and its file', async () => {
    const member = world.crew.shell(`echo one; read x; exec /bin/sh -c 'echo two; read x' sh second`);
    expect(await member.line()).toBe('one');
    const before = see(member).image;
    member.write('go');
    expect(await member.line()).toBe('two');
    const after = see(member).image;
    expect([after.name, after.exe]).toEqual([before.name, before.exe]);
    expect(after.argv?.at(-1)).toBe('second');
  });

  it('by losing its parent changes that and nothing else', async () => {
    const parent = world.crew.shell('sleep 1000 & echo $!; read x');
    const pid = world.crew.adopt(Number(await parent.line()));
    await until(() => see(pid)).toMatchObject({ status: 'sleeping', image: { argv: ['sleep', '1000'] } });
    const before = see(pid).image;
    expect(before.ppid).toBe(parent.pid);
    parent.write('end');
    await until(() => find(parent.pid)).toBeUndefined();
    const after = see(pid).image;
    expect(after).not.toBe(before);
    expect(after.ppid).not.toBe(before.ppid);
    expect({ ...after, ppid: 0 }).toEqual({ ...before, ppid: 0 });
  });

  it('by ending unwaited for has no executable and no arguments any more', async () => {
    const parent = world.crew.shell('exec 3<&0; sh -c "read x" zombie-to-be <&3 & echo $!; exec sleep 1000');
    const pid = Number(await parent.line());
    await until(() => nameOf(parent.pid)).toBe('sleep');
    await until(() => see(pid)).toMatchObject({ status: 'sleeping', image: { argv: ['sh', '-c', 'read x', 'zombie-to-be'] } });
    const { image, startTicks } = { ...see(pid) };
    expect(image.exe).not.toBeNull();
    parent.write('end');
    await until(() => see(pid).status).toBe('zombie');
    const zombie = see(pid);
    expect(zombie.startTicks).toBe(startTicks);
    // Of its control group the kernel keeps what it likes.
    const { controlGroup } = zombie.image;
    expect(zombie.image).toEqual({ ...image, exe: null, argv: [], cwd: null, namespaces: null, controlGroup });
    expect(zombie.memoryBytes).toBe(0);
    const same = zombie.image;
    expect(see(pid).image).toBe(same);
  });

  it('by ending is gone from the next scan', async () => {
    const member = world.crew.start('sleep', ['1000']);
    await until(() => find(member.pid)).toBeDefined();
    await member.end();
    expect(find(member.pid)).toBeUndefined();
  });

  it.skipIf(process.getuid?.() !== 0)('of owner without exec is noticed within 32 scans (needs root)', async ({ skip }) => {
    const member = world.crew.start('perl', [
      '-e',
      '$| = 1; print "up\\n"; <STDIN>; $) = "65534 65534"; $> = 65534; print "done\\n"; <STDIN>',
    ]);
    const up = await member.line().catch(() => null);
    if (up === null) return skip('no perl to change its owner with');
    expect(see(member).image).toMatchObject({ userId: 0, groupId: 0 });
    member.write('go');
    expect(await member.line()).toBe('done');
    let scans = 0;
    while (see(member).image.userId === 0 && scans < 40) scans++;
    expect(scans).toBeLessThanOrEqual(32);
    expect(see(member).image).toMatchObject({ userId: 65_534, groupId: 65_534, name: 'perl' });
    return undefined;
  });

  it('in its title is noticed within 128 scans', async ({ skip }) => {
    const member = world.crew.start('perl', [
      '-e',
      '$| = 1; print "up\\n"; <STDIN>; my $name = "/proc/self/comm"; open(F, "<", $name); my $comm = <F>; chomp $comm; $0 = "other words"; open(F, ">", $name); print F $comm; close F; print "done\\n"; <STDIN>',
    ]);
    const up = await member.line().catch(() => null);
    if (up === null) return skip('no perl to change its title with');
    const before = see(member).image;
    member.write('go');
    expect(await member.line()).toBe('done');
    let scans = 0;
    while (see(member).image === before && scans < 140) scans++;
    expect(scans).toBeLessThanOrEqual(128);
    expect(see(member).image.argv?.[0]).toBe('other words');
    expect(see(member).image.name).toBe('perl');
    return undefined;
  });
});

describe('a process that does not change', () => {
  it('is the same object, with the same image, in each scan', async () => {
    const member = await sleeper();
    const record = see(member);
    const { image } = record;
    for (let scan = 0; scan < 40; scan++) {
      expect(see(member)).toBe(record);
      expect(record.image).toBe(image);
    }
  });

  it('has no CPU share in the first scan and one from the second on', async () => {
    const [idle, busy] = [await sleeper(), world.crew.shell('while :; do :; done')];
    const fresh = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
    const share = (pid: number) => fresh.scan().processes.find((process) => process.pid === pid)?.cpuPercent;
    expect(share(idle.pid)).toBeNull();
    expect(share(idle.pid)).toBe(0);
    await expect.poll(() => share(busy.pid), { interval: 50 }).toBeGreaterThan(5);
    expect(share(idle.pid)).toBe(0);
    fresh.close();
  });

  it('has the memory and the state that the kernel says', async () => {
    const member = await sleeper();
    const pages = Number(readFileSync(`/proc/${member.pid}/statm`, 'utf8').split(' ')[1]);
    expect(Math.abs(see(member).memoryBytes / 4096 - pages)).toBeLessThan(pages);
    process.kill(member.pid, 'SIGSTOP');
    await until(() => see(member).status).toBe('stopped');
  });
});

describe('a scan', () => {
  it('has each pid once, itself and its parent among them, and counts them', () => {
    const { processes, coverage, bootId, startTimeMs, endTimeMs, durationMs, loadAverage } = world.source.scan();
    const pids = processes.map(({ pid }) => pid);
    expect(new Set(pids).size).toBe(pids.length);
    expect(pids).toEqual(expect.arrayContaining([1, process.pid, process.ppid]));
    expect(coverage.seen).toBe(processes.length);
    expect(coverage.accessible).toBe(processes.filter(({ image }) => image.unseen.length === 0).length);
    expect(coverage.errors).toBe(0);
    expect(bootId).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    expect([endTimeMs >= startTimeMs, durationMs > 0, (loadAverage ?? -1) >= 0]).toEqual([true, true, true]);
  });

  it('has kernel threads without executable and arguments, where the machine shows any', () => {
    const threads = world.source.scan().processes.filter(({ image }) => image.isKernelThread);
    if (threads.length === 0) console.log('linux-proc.test.ts: no kernel threads here (a container?)');
    for (const { image } of threads) expect(image).toMatchObject({ exe: null, argv: [], exeDeleted: false, unseen: [] });
    expect(world.source.scan().processes.find(({ pid }) => pid === process.pid)?.image.isKernelThread).toBe(false);
  });

  it('takes its clock from the outside', () => {
    const times = [1000, 2000];
    const clocked = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096, now: () => times.shift() ?? 0 });
    expect(clocked.scan()).toMatchObject({ startTimeMs: 1000, endTimeMs: 2000 });
    clocked.close();
  });

  it('cuts long arguments, and counts it', async () => {
    const short = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
    const member = world.crew.start('sleep', [`${'0'.repeat(10_000)}1000`]);
    const image = () => short.scan().processes.find(({ pid }) => pid === member.pid)?.image;
    await until(() => image()?.unseen).toEqual([{ field: 'argv', reason: 'cut at 4096 bytes' }]);
    expect(image()?.argv?.join('\0')).toHaveLength(4096);
    const { coverage } = short.scan();
    expect(coverage.argvTruncated).toBeGreaterThanOrEqual(1);
    expect(coverage.reason).toContain('are cut');
    expect(coverage.accessible).toBeLessThan(coverage.seen);
    short.close();
  });
});

describe('descriptors', () => {
  const open = (): number => readdirSync('/proc/self/fd').length;

  it('are one for each process at most, and none once it is closed', () => {
    for (let i = 0; i < 20; i++) world.crew.start('sleep', ['1000']);
    const before = open();
    for (let i = 0; i < 5; i++) {
      const { processes } = world.source.scan();
      const held = open() - before;
      expect([held > 20, held <= processes.length]).toEqual([true, true]);
    }
    world.source.close();
    expect(open()).toBe(before);
  });

  it.each([0, 256, 258])('a limit of %d leaves nobody out', (openFileLimit) => {
    const poor = createTestSource({ openFileLimit, argvLimitBytes: 4096 });
    const members = Array.from({ length: 20 }, () => world.crew.start('sleep', ['1000']).pid);
    const before = open();
    for (let scan = 0; scan < 3; scan++) {
      const pids = new Set(poor.scan().processes.map(({ pid }) => pid));
      expect(members.filter((pid) => !pids.has(pid))).toEqual([]);
      expect(open() - before).toBeLessThanOrEqual(Math.max(0, openFileLimit - 256));
    }
    poor.close();
    expect(open()).toBe(before);
  });
});
