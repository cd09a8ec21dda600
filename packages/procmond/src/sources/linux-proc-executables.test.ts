import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessImage, ProcessRecord } from '@sentineld/model/process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherCrew, type Crew } from './fixtures/crew.fixture.ts';
import { createTestSource } from './fixtures/test-source.fixture.ts';
import { readKernelConstants } from './kernel-constants.ts';
import type { ProcessSource } from './process-source.ts';

const isRoot = process.getuid?.() === 0;

let crew: Crew;
let source: ProcessSource;
beforeEach(() => {
  crew = gatherCrew();
  source = createTestSource({ openFileLimit: 1024, argvLimitBytes: 131_072 });
});
afterEach(async () => {
  source.close();
  await crew.close();
});

const until = (check: () => unknown) => expect.poll(check, { interval: 5 });

function see(pid: number, from = source): ProcessRecord {
  const record = from.scan().processes.find((process) => process.pid === pid);
  if (record === undefined) throw new Error('not in the scan');
  return record;
}
const imageOf = (pid: number, from = source): ProcessImage => see(pid, from).image;

async function run(path: string): Promise<number> {
  const { pid } = crew.start(path, ['1000']);
  // All of it: in the middle of an exec the file is the new one and the arguments are not there yet.
  await until(() => imageOf(pid)).toMatchObject({ exe: { path }, argv: [path, '1000'] });
  await until(() => see(pid).status).toBe('sleeping');
  return pid;
}

describe('an executable that is deleted', () => {
  it('is told in the next scan, of everybody who runs it, with the path that it had', async () => {
    const path = crew.copyOfSleep('gone soon');
    const pids = [await run(path), await run(path), await run(path)];
    const bystander = await run(crew.copyOfSleep('other'));
    const before = pids.map((pid) => imageOf(pid));
    expect(before.map(({ exeDeleted }) => exeDeleted)).toEqual([false, false, false]);
    const bystanderImage = imageOf(bystander);
    rmSync(path);
    for (const [index, pid] of pids.entries()) expect(imageOf(pid)).toEqual({ ...before[index], exeDeleted: true });
    expect(imageOf(bystander)).toBe(bystanderImage);
  });

  it('is the same to a source that starts afterwards, and to a process that starts before the first look', async () => {
    const path = crew.copyOfSleep('gone');
    const pid = await run(path);
    rmSync(path);
    const late = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
    expect(imageOf(pid, late)).toMatchObject({ exeDeleted: true, exe: { path } });
    late.close();
  });

  it('stays deleted, with the path that it had, through every refresh', async () => {
    const path = crew.copyOfSleep('gone');
    const pid = await run(path);
    rmSync(path);
    const images = new Set<ProcessImage>();
    for (let scan = 0; scan < 40; scan++) {
      const image = imageOf(pid);
      expect(image).toMatchObject({ exeDeleted: true, exe: { path } });
      images.add(image);
    }
    expect(images.size).toBe(1);
  });

  it('can still be opened through a process that runs it, and through nobody once that ends', async () => {
    const path = crew.copyOfSleep('gone');
    const member = crew.start(path, ['1000']);
    await until(() => imageOf(member.pid).exe?.path).toBe(path);
    const { exe } = imageOf(member.pid);
    if (exe === null) throw new Error('no executable');
    rmSync(path);
    source.scan();
    const open = source.openPathOf(exe);
    expect(open).toBe(`/proc/${member.pid}/exe`);
    expect(readFileSync(open ?? '').equals(readFileSync('/bin/sleep'))).toBe(true);
    await member.end();
    source.scan();
    expect(source.openPathOf(exe)).toBeNull();
  });

  it('is told apart from a new file of its name', async () => {
    const path = crew.copyOfSleep('tool');
    const old = await run(path);
    copyFileSync('/bin/cat', `${path}.new`);
    renameSync(`${path}.new`, path);
    const { pid } = crew.start(path, []);
    await until(() => imageOf(pid).exe?.path).toBe(path);
    expect([imageOf(old).exeDeleted, imageOf(pid).exeDeleted]).toEqual([true, false]);
    expect(imageOf(old).exe?.path).toBe(path);
    expect(imageOf(old).exe?.inode).not.toBe(imageOf(pid).exe?.inode);
  });
});

describe('an executable that is not deleted', () => {
  it("really named 'x (deleted)' keeps its name", async () => {
    const path = crew.copyOfSleep('x (deleted)');
    const pid = await run(path);
    expect(imageOf(pid)).toMatchObject({ exeDeleted: false, exe: { path } });
    rmSync(path);
    expect(imageOf(pid)).toMatchObject({ exeDeleted: true, exe: { path } });
    const late = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
    expect(imageOf(pid, late)).toMatchObject({ exeDeleted: true, exe: { path } });
    late.close();
  });

  it('and lost one link of two has the path that it had', async () => {
    const path = crew.copyOfSleep('first');
    linkSync(path, join(crew.directory, 'second'));
    const pid = await run(path);
    rmSync(path);
    const late = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
    for (const from of [source, late]) expect(imageOf(pid, from)).toMatchObject({ exeDeleted: false, exe: { path } });
    late.close();
  });

  it('and was renamed has its new path after the refresh', async () => {
    const path = crew.copyOfSleep('before');
    const pid = await run(path);
    mkdirSync(join(crew.directory, 'd'));
    renameSync(path, join(crew.directory, 'd', 'after'));
    let scans = 0;
    while (imageOf(pid).exe?.path === path && scans < 140) scans++;
    expect(scans).toBeLessThanOrEqual(128);
    expect(imageOf(pid).exe?.path).toBe(join(crew.directory, 'd', 'after'));
  });
});

describe('an executable that was never a file', () => {
  it('is told as deleted, with the name that the program gave it', async ({ skip }) => {
    const script =
      'import os; fd = os.memfd_create("kworker", 0); os.write(fd, open("/bin/sleep", "rb").read()); os.execve(fd, ["sleep", "1000"], {})';
    const hasPython = existsSync('/usr/bin/python3') || spawnable('python3');
    if (!hasPython) return skip('no python3 to make a memfd with');
    const { pid } = crew.start('python3', ['-c', script]);
    const expected = { exe: { path: '/memfd:kworker' }, exeDeleted: true, argv: ['sleep', '1000'], unseen: [] };
    await until(() => imageOf(pid)).toMatchObject(expected);
    expect(see(pid).image.userId).toBe(process.getuid?.());
    return undefined;
  });
});

function spawnable(command: string): boolean {
  try {
    execFileSync(command, ['-c', ''], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a pid that is given to another process', () => {
  const LAST = '/proc/sys/kernel/ns_last_pid';

  /** Starts processes until one gets this pid, which the kernel is told to give next. */
  async function startWithPid(pid: number): Promise<boolean> {
    for (let attempt = 0; attempt < 50; attempt++) {
      const shell = crew.shell(`echo ${pid - 1} > ${LAST}; sleep 1000 & echo $!`);
      const given = crew.adopt(Number(await shell.line()));
      if (given === pid) return true;
      process.kill(given, 'SIGKILL');
    }
    return false;
  }

  it.skipIf(!isRoot || !existsSync(LAST)).for([1024, 0])(
    'is another process, with a limit of %d descriptors (needs root)',
    async (openFileLimit, { skip }) => {
      const own = createTestSource({ openFileLimit, argvLimitBytes: 4096 });
      try {
        const member = crew.start(crew.copyOfSleep('victim'), ['1000']);
        await until(() => imageOf(member.pid, own).name).toBe('victim');
        const before = see(member.pid, own);
        const { startTicks } = before;
        // The clock that tells them apart has ticks of 10 ms.
        const { ticksPerSecond } = readKernelConstants();
        await until(() => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * ticksPerSecond).toBeGreaterThan(startTicks + 2);
        await member.end();
        if (!(await startWithPid(member.pid))) return skip('the kernel did not give the pid again');
        await until(() => readFileSync(`/proc/${member.pid}/comm`, 'utf8')).toBe('sleep\n');
        const after = see(member.pid, own);
        expect(after.startTicks).toBeGreaterThan(startTicks);
        expect(after).not.toBe(before);
        expect(after).toMatchObject({ cpuPercent: null, image: { name: 'sleep', argv: ['sleep', '1000'] } });
      } finally {
        own.close();
      }
      return undefined;
    },
  );
});

describe('the file of an executable', () => {
  it('is what stat says of it', async () => {
    const path = crew.copyOfSleep('tool');
    const pid = await run(path);
    const status = statSync(path, { bigint: true });
    expect(imageOf(pid).exe).toEqual({
      path,
      dev: String(status.dev),
      inode: String(status.ino),
      sizeBytes: Number(status.size),
      mtimeNs: String(status.mtimeNs),
      ctimeNs: String(status.ctimeNs),
    });
  });
});
