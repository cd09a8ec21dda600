import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { endProgram, startProgram, type Program } from './fixtures/program.fixture.ts';
import { bootId, parentAndArgumentsOf, startTicksOf } from './process-identity.ts';

const programs: Program[] = [];
afterEach(async () => {
  await Promise.all(programs.splice(0).map(endProgram));
});

function start(command: readonly [string, ...string[]]): Program {
  const program = startProgram(command);
  programs.push(program);
  return program;
}

describe('startTicksOf', () => {
  it('is field 22 of stat, and the same at every look', () => {
    const ticks = startTicksOf(process.pid);
    expect(ticks).toBeGreaterThan(0);
    expect(startTicksOf(process.pid)).toBe(ticks);
    expect(readFileSync('/proc/self/stat', 'latin1').split(' ')).toContain(String(ticks));
  });

  it('is null for a pid that nobody has, and once a process has ended', async () => {
    expect(startTicksOf(2 ** 22 + 1)).toBeNull();
    expect(startTicksOf(-1)).toBeNull();
    const sleeper = start(['sleep', '1000']);
    expect(startTicksOf(sleeper.pid)).toBeGreaterThan(0);
    await endProgram(sleeper);
    expect(startTicksOf(sleeper.pid)).toBeNull();
  });

  it('is null for a process that has ended and was not waited for', async () => {
    // The shell becomes a sleep that knows nothing of its child, which then ends.
    const parent = start(['sh', '-c', 'exec 3<&0; sh -c "read x" <&3 & echo $!; exec sleep 1000']);
    const pid = Number(await parent.line());
    await expect.poll(() => parentAndArgumentsOf(parent.pid)?.argv[0]).toBe('sleep');
    expect(startTicksOf(pid)).toBeGreaterThan(0);
    parent.write('end');
    await expect.poll(() => startTicksOf(pid)).toBeNull();
    expect(readFileSync(`/proc/${pid}/stat`, 'latin1')).toContain(') Z ');
  });
});

describe('parentAndArgumentsOf', () => {
  it('reads parent and arguments, empty ones and line ends included', () => {
    const program = start(['sleep', '1000']);
    expect(parentAndArgumentsOf(program.pid)?.ppid).toBe(process.pid);
    const shell = start(['sh', '-c', 'read x', '', 'a b', 'c\nd']);
    return expect.poll(() => parentAndArgumentsOf(shell.pid)?.argv).toEqual(['sh', '-c', 'read x', '', 'a b', 'c\nd']);
  });

  it('is null for a pid that nobody has', () => {
    expect(parentAndArgumentsOf(2 ** 22 + 1)).toBeNull();
  });
});

describe('bootId', () => {
  it('is the id of this boot', () => {
    expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(bootId()).toBe(bootId());
  });
});
