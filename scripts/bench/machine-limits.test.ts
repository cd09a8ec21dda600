import { describe, expect, it } from 'vitest';
import { whyTooMany } from './machine-limits.ts';

const ROOMY: Readonly<Record<string, string>> = {
  '/proc/sys/kernel/pid_max': '4194304\n',
  '/proc/sys/kernel/threads-max': '192731\n',
  '/proc/self/limits': 'Limit  Soft  Hard  Units\nMax processes             96365                96365                processes\n',
  '/proc/self/cgroup': '0::/user.slice/session-1.scope\n',
  '/sys/fs/cgroup/user.slice/pids.max': 'max\n',
  '/sys/fs/cgroup/user.slice/session-1.scope/pids.max': '50000\n',
  '/proc/meminfo': 'MemTotal:       24684100 kB\nMemAvailable:   22000000 kB\n',
};

function why(changes: Readonly<Record<string, string>>): string | null {
  const files = { ...ROOMY, ...changes };
  return whyTooMany(10_000, 100, (file) => files[file] ?? null);
}

describe('whether a machine takes 10,000 processes', () => {
  it('is yes where everything is large enough, and where nothing is known', () => {
    expect(why({})).toBeNull();
    expect(whyTooMany(10_000, 100, () => null)).toBeNull();
  });

  it.each([
    [{ '/proc/sys/kernel/pid_max': '8192\n' }, /^kernel\.pid_max is 8192: 10000 more processes need 10600$/],
    [{ '/proc/self/limits': 'Max processes             4096                unlimited            processes\n' }, /ulimit -u/],
    [{ '/sys/fs/cgroup/user.slice/session-1.scope/pids.max': '512\n' }, /control group \/user\.slice\/session-1\.scope is 512/],
    [{ '/proc/meminfo': 'MemAvailable:   1000000 kB\n' }, /977 MB of memory are free/],
  ])('is no with %j', (changes, reason) => {
    expect(why(changes)).toMatch(reason);
  });
});
