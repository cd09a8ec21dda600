import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { until, watchCrew } from './fixtures/watched-crew.fixture.ts';

const world = watchCrew();
const { find, see, sleeper } = world;
const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

describe('a process that slept through many scans', () => {
  const settle = (): void => {
    for (let scan = 0; scan < 8; scan++) world.source.scan();
  };

  it('and calls exec then shows it in the next scan', async () => {
    const other = world.crew.copyOfSleep('other');
    const member = world.crew.shell(`echo up; read x; exec ${other} 1000`);
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
    const parent = world.crew.shell('sleep 1000 & echo $!; read x');
    const pid = world.crew.adopt(Number(await parent.line()));
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
    const member = world.crew.shell('echo up; read x; data=$(head -c 20000000 /dev/zero | tr "\\0" a); echo done; read y; echo "$data"');
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
    const member = world.crew.start(process.execPath, ['-e', script]);
    expect(await member.line()).toBe('up');
    settle();
    const share = (): number => see(member).cpuPercent ?? 0;
    await expect.poll(share, { interval: 100 }).toBeGreaterThan(5);
    await expect.poll(share, { interval: 100 }).toBeGreaterThan(5);
  });
});
