import { readFileSync } from 'node:fs';
import type { ProcessRecord } from '@sentineld/model/process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherCrew, type Crew, type Member } from './fixtures/crew.fixture.ts';
import { createTestSource } from './fixtures/test-source.fixture.ts';
import type { ProcessSource } from './process-source.ts';

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

const find = (pid: number): ProcessRecord | undefined => source.scan().processes.find((process) => process.pid === pid);

function see(member: Member | number): ProcessRecord {
  const record = find(typeof member === 'number' ? member : member.pid);
  if (record === undefined) throw new Error('not in the scan');
  return record;
}

/** Starts a sleep and waits until it sleeps: in the middle of an exec a process is not yet what it becomes. */
async function sleeper(): Promise<Member> {
  const member = crew.start('sleep', ['1000']);
  await until(() => see(member)).toMatchObject({ status: 'sleeping', image: { argv: ['sleep', '1000'] } });
  return member;
}

const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
const until = (check: () => unknown) => expect.poll(check, { interval: 5 });

describe('a process that slept through many scans', () => {
  const settle = (): void => {
    for (let scan = 0; scan < 8; scan++) source.scan();
  };

  it('and calls exec then shows it in the next scan', async () => {
    const other = crew.copyOfSleep('other');
    const member = crew.shell(`echo up; read x; exec ${other} 1000`);
    expect(await member.line()).toBe('up');
    settle();
    const before = see(member).image;
    expect(see(member).image).toBe(before);
    member.write('go');
    await until(() => nameOf(member.pid)).toBe('other');
    await until(() => readFileSync(`/proc/${member.pid}/cmdline`, 'utf8')).toContain(other);
    expect(see(member).image).toMatchObject({ name: 'other', argv: [other, '1000'], exe: { path: other } });
  });

  it('and loses its parent then shows it in the next scan', async () => {
    const parent = crew.shell('sleep 1000 & echo $!; read x');
    const pid = crew.adopt(Number(await parent.line()));
    await until(() => see(pid)).toMatchObject({ status: 'sleeping', image: { argv: ['sleep', '1000'] } });
    settle();
    expect(see(pid).image.ppid).toBe(parent.pid);
    await parent.end();
    const { ppid } = see(pid).image;
    expect(ppid).not.toBe(parent.pid);
    expect(ppid).toBe(Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ')[3]));
  });

  it('and is stopped, goes on and ends shows each in the next scan', async () => {
    const member = await sleeper();
    settle();
    const stateOf = (): string => readFileSync(`/proc/${member.pid}/stat`, 'latin1').split(' ')[2] ?? '';
    process.kill(member.pid, 'SIGSTOP');
    await until(stateOf).toBe('T');
    expect(see(member).status).toBe('stopped');
    settle();
    process.kill(member.pid, 'SIGCONT');
    await until(stateOf).toBe('S');
    expect(see(member).status).toBe('sleeping');
    settle();
    await member.end();
    expect(find(member.pid)).toBeUndefined();
  });

  it('and works then has a share of CPU and more memory in the next scan', async () => {
    const member = crew.shell('echo up; read x; data=$(head -c 20000000 /dev/zero | tr "\\0" a); echo done; read y; echo "$data"');
    expect(await member.line()).toBe('up');
    settle();
    const { memoryBytes } = { ...see(member) };
    expect(see(member).cpuPercent).toBe(0);
    member.write('go');
    expect(await member.line()).toBe('done');
    const after = see(member);
    expect(after.memoryBytes).toBeGreaterThan(memoryBytes + 10_000_000);
    expect(after.cpuPercent).toBeGreaterThan(0);
  });

  it('with its main thread alone has the share of CPU of all its threads', async () => {
    const script =
      'new (require("node:worker_threads").Worker)("for (;;);", { eval: true }); console.log("up"); setInterval(() => {}, 1e9)';
    const member = crew.start(process.execPath, ['-e', script]);
    expect(await member.line()).toBe('up');
    settle();
    const share = (): number => see(member).cpuPercent ?? 0;
    await expect.poll(share, { interval: 100 }).toBeGreaterThan(5);
    await expect.poll(share, { interval: 100 }).toBeGreaterThan(5);
  });
});
