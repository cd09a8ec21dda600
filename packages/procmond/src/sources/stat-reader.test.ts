import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
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
    const reader = createStatReader(Buffer.alloc(4096));
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
    const reader = createStatReader(Buffer.alloc(4096));
    const { pid, stat, schedstat } = await ended();
    expect([reader.read(stat, process.pid), reader.read(NOT_HELD, pid), reader.readRunTime(schedstat)]).toEqual(['gone', 'gone', false]);
    closeSync(stat);
    closeSync(schedstat);
  });

  it('reads how long and how often a thread ran', () => {
    const reader = createStatReader(Buffer.alloc(4096));
    const schedstat = openSync('/proc/self/schedstat', 'r');
    expect(reader.readRunTime(schedstat)).toBe(true);
    const { ranNs, timesRun } = { ...reader.runTime };
    expect([ranNs > 0, timesRun > 0]).toEqual([true, true]);
    expect(reader.readRunTime(schedstat)).toBe(true);
    expect([reader.runTime.ranNs >= ranNs, reader.runTime.timesRun >= timesRun]).toEqual([true, true]);
    closeSync(schedstat);
  });

  it('takes what is in the buffer already, and tells an end from an error', () => {
    const buffer = Buffer.alloc(4096);
    const reader = createStatReader(buffer);
    const line = readFileSync('/proc/self/stat');
    line.copy(buffer);
    expect([reader.take(line.length), reader.stat.ppid]).toEqual(['read', process.ppid]);
    const { ENOENT, ESRCH, EMFILE } = constants.errno;
    expect([0, -ENOENT, -ESRCH, -EMFILE, 5].map((length) => reader.take(length))).toEqual(['gone', 'gone', 'gone', 'error', 'error']);
  });

  it('gives the same text for the same name, and of a kernel worker what stays the same', () => {
    const buffer = Buffer.alloc(4096);
    const reader = createStatReader(buffer);
    const nameOf = (name: string, flags: number): string => {
      const numbers = Array.from({ length: 49 }, () => '0');
      numbers[5] = String(flags);
      expect(reader.take(buffer.write(`1 (${name}) S ${numbers.join(' ')}\n`, 'latin1'))).toBe('read');
      return reader.name('');
    };
    const kernelThread = 0x0020_0000;
    expect([nameOf('a) R 1', 0), nameOf('\xc3\xbc', 0), nameOf('kworker/0:1-events', 0)]).toEqual(['a) R 1', 'ü', 'kworker/0:1-events']);
    expect([nameOf('kworker/0:1-events', kernelThread), nameOf('kworker/0:1-events', 0)]).toEqual(['kworker/0:1', 'kworker/0:1-events']);
  });
});
