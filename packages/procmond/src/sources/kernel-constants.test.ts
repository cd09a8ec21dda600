import { execFileSync } from 'node:child_process';
import { uptime } from 'node:os';
import { describe, expect, it } from 'vitest';
import { hidesOtherUsers, readKernelConstants } from './kernel-constants.ts';

describe('readKernelConstants', () => {
  it('are what getconf says, and the boot was as long ago as the machine is up', () => {
    const { pageBytes, ticksPerSecond, bootTimeMs } = readKernelConstants();
    const getconf = (name: string): number => Number(execFileSync('getconf', [name], { encoding: 'utf8' }));
    expect([pageBytes, ticksPerSecond]).toEqual([getconf('PAGESIZE'), getconf('CLK_TCK')]);
    expect(bootTimeMs % 1000).toBe(0);
    expect(Math.abs(Date.now() - uptime() * 1000 - bootTimeMs)).toBeLessThan(60_000);
  });
});

describe('hidesOtherUsers', () => {
  const mounts = (options: string, at = '/proc', type = 'proc'): string =>
    `/dev/vda / ext4 rw 0 0\n${type} ${at} ${type} ${options} 0 0\ntmpfs /run tmpfs rw 0 0\n`;

  it.each([
    'rw,hidepid=1',
    'rw,nosuid,hidepid=2,gid=5',
    'rw,relatime,hidepid=invisible',
    'rw,hidepid=noaccess',
    'hidepid=ptraceable,rw',
    'rw,hidepid=4',
  ])('%s', (options) => {
    expect(hidesOtherUsers(mounts(options), () => false)).toBe(true);
    expect(hidesOtherUsers(mounts(options), () => true)).toBe(false);
  });

  it.each(['rw,relatime', 'rw,hidepid=0', 'rw,hidepid=off', 'rw,xhidepid=2', 'rw,hidepid=20'])('not %s', (options) => {
    expect(hidesOtherUsers(mounts(options), () => false)).toBe(false);
  });

  it('is about /proc alone', () => {
    expect(hidesOtherUsers(mounts('rw,hidepid=2', '/jail/proc'), () => false)).toBe(false);
    expect(hidesOtherUsers(mounts('rw,hidepid=2', '/proc', 'tmpfs'), () => false)).toBe(false);
    expect(hidesOtherUsers('', () => false)).toBe(false);
    expect(typeof hidesOtherUsers()).toBe('boolean');
  });
});
