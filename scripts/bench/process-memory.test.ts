import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { descendantsOf, memoryOf, parseRollup, programOf } from './process-memory.ts';

describe('memory of a process', () => {
  it('is read in MiB from the two lines that count', () => {
    const text =
      '5600-7fff [rollup]\nRss:              81920 kB\nPss:              51200 kB\nPss_Dirty:         1024 kB\nShared_Clean:  30720 kB\n';
    expect(parseRollup(text)).toEqual({ rssMiB: 80, pssMiB: 50 });
    expect(parseRollup('')).toBeNull();
  });

  it('is the kernel word about this process, and null for one that is not there', () => {
    const own = memoryOf(process.pid);
    expect(own?.rssMiB).toBeGreaterThan(20);
    expect(own?.pssMiB).toBeLessThanOrEqual(own?.rssMiB ?? 0);
    expect(memoryOf(2 ** 30)).toBeNull();
  });

  it('finds children with the program that each runs', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()', 'some/executor.js'], { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    expect(descendantsOf(process.pid)).toContain(child.pid);
    await expect.poll(() => programOf(child.pid ?? 0)).toBe('executor.js');
    child.stdin?.end();
    await once(child, 'exit');
  });
});
