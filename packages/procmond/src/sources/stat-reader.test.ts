import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NOT_HELD } from './known-process.ts';
import { createStatReader, openStat } from './stat-reader.ts';

async function ended(): Promise<{ readonly pid: number; readonly stat: number; readonly schedstat: number }> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  const files = { pid, stat: openStat(pid), schedstat: openSync(`/proc/${pid}/schedstat`, 'r') };
  const isEnded = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await isEnded;
  return files;
}

describe('createStatReader', () => {
  it('reads stat by path and through a descriptor, again and again', () => {
    const reader = createStatReader();
    expect(reader.read(NOT_HELD, process.pid)).toBe('read');
    expect(reader.stat.ppid).toBe(process.ppid);
    const name = readFileSync('/proc/self/comm', 'utf8').trim();
    expect([reader.name(''), reader.name(name)]).toEqual([name, name]);
    const descriptor = openStat(process.pid);
    for (let look = 0; look < 3; look++) expect(reader.read(descriptor, process.pid)).toBe('read');
    closeSync(descriptor);
    expect(reader.read(descriptor, process.pid)).toBe('error');
  });

  it('says that a process is gone, and of a held file never what whoever has its pid now does', async () => {
    const reader = createStatReader();
    const { pid, stat, schedstat } = await ended();
    expect([reader.read(stat, process.pid), reader.read(NOT_HELD, pid), reader.readRunTime(schedstat)]).toEqual(['gone', 'gone', false]);
    closeSync(stat);
    closeSync(schedstat);
  });

  it('reads how long and how often a thread ran', () => {
    const reader = createStatReader();
    const schedstat = openSync('/proc/self/schedstat', 'r');
    expect(reader.readRunTime(schedstat)).toBe(true);
    const { ranNs, timesRun } = { ...reader.runTime };
    expect([ranNs > 0, timesRun > 0]).toEqual([true, true]);
    expect(reader.readRunTime(schedstat)).toBe(true);
    expect([reader.runTime.ranNs >= ranNs, reader.runTime.timesRun >= timesRun]).toEqual([true, true]);
    closeSync(schedstat);
  });
});
