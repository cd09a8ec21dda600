import { describe, expect, it } from 'vitest';
import { createMacosSource, macosListing, splitMacosCommand, type MacosListings, type PsListRow } from './macos-processes.ts';

const START = new Date('2026-03-06T08:00:11');
/** In the form in which ps-list and systeminformation give them on macOS. */
const listed: PsListRow[] = [
  { pid: 1, ppid: 0, uid: 0, cpu: 0.3, name: 'launchd', path: '/sbin/launchd', startTime: START, cmd: '/sbin/launchd' },
  {
    pid: 407,
    ppid: 231,
    uid: 501,
    cpu: 12.5,
    name: 'Größe Über',
    path: '/Applications/Größe Über.app/Contents/MacOS/Größe Über',
    startTime: new Date('2026-03-06T09:15:02'),
    cmd: '/Applications/Größe Über.app/Contents/MacOS/Größe Über --token s3cret',
  },
  { pid: 408, ppid: 407, uid: 501, cpu: 0, name: '(Größe Über)', path: '', startTime: START, cmd: '(Größe Über)' },
  { pid: 512, ppid: 231, uid: 502, cpu: 0, name: '-zsh', path: '', startTime: START, cmd: '-zsh' },
  { pid: 513, ppid: 512, uid: undefined, cpu: Number.NaN, name: '/opt/bin/\u001b[31mred\nname', path: '', startTime: undefined, cmd: '' },
  { pid: 514, ppid: 1, uid: 0, cpu: 0, name: '', path: '', startTime: new Date('never'), cmd: 'lone \ud800 half' },
  { pid: 512, ppid: 1, uid: 0, cpu: 0, name: 'older', path: '', startTime: new Date('2026-03-06T07:00:00'), cmd: 'older' },
  { pid: 0, ppid: 0, uid: 0, cpu: 0, name: 'kernel_task', path: '', startTime: START, cmd: 'kernel_task' },
];
const measured = [
  { pid: 1, memRss: 12_288, state: 'sleeping', user: 'root' },
  { pid: 407, memRss: 260_096, state: 'running', user: 'bob' },
  { pid: 408, memRss: 0, state: 'zombie', user: 'bob' },
  { pid: 512, memRss: 5120, state: 'blocked', user: '502' },
  { pid: 513, memRss: null, state: 'paging', user: '' },
  { pid: 9999, memRss: 1, state: 'running', user: 'gone' },
];
const recorded: MacosListings = { listed, measured };

describe('macosListing', () => {
  it('joins what the two libraries say of a pid', () => {
    const { rows, lacks } = macosListing(recorded);
    expect(
      rows.map(({ pid, name, path, user, userId, memoryBytes, state }) => [pid, name, path, user, userId, memoryBytes, state]),
    ).toEqual([
      [1, 'launchd', '/sbin/launchd', 'root', 0, 12_582_912, 'sleeping'],
      [407, 'Größe Über', '/Applications/Größe Über.app/Contents/MacOS/Größe Über', 'bob', 501, 266_338_304, 'running'],
      [408, '(Größe Über)', null, 'bob', 501, 0, 'zombie'],
      [512, '-zsh', null, null, 502, 5_242_880, 'disk_sleep'],
      [513, '\u001b[31mred\nname', '/opt/bin/\u001b[31mred\nname', null, null, null, 'unknown'],
      [514, '', null, null, 0, null, 'unknown'],
      [512, 'older', null, null, 0, 5_242_880, 'disk_sleep'],
      [0, 'kernel_task', null, null, 0, null, 'unknown'],
    ]);
    expect(rows.map(({ startedMs }) => startedMs === null)).toEqual([false, false, false, false, true, true, false, false]);
    expect(rows[4]).toMatchObject({ command: null, cpuPercent: null });
    expect(rows[5]?.command).toBe('lone \ufffd half');
    expect(lacks).toEqual([expect.stringContaining('in their own arguments')]);
  });

  it('says what it lacks without systeminformation, and fails without ps-list', () => {
    const { rows, lacks } = macosListing({ listed, measured: [] });
    expect([rows[0]?.memoryBytes, rows[0]?.state, lacks.length]).toEqual([null, 'unknown', 2]);
    expect(() => macosListing({ listed: [], measured })).toThrow(/ps-list lists nobody/);
  });
});

describe('createMacosSource', () => {
  it('scans recorded listings', async () => {
    const source = createMacosSource(
      {
        redact: (argv) => ({ argv: argv.map((word) => word.replace('s3cret', '[redacted]')), redacted: argv.includes('s3cret') ? 1 : 0 }),
        argvLimitBytes: 4096,
      },
      () => Promise.resolve(recorded),
    );
    await source.prepare();
    const { processes, coverage, bootId } = source.scan();
    expect(bootId).toBe(`macos-ps-${START.getTime()}`);
    expect(processes.map(({ pid }) => pid)).toEqual([1, 407, 408, 512, 513, 514, 0]);
    expect(source.lookUp(407)).toMatchObject({
      startTicks: new Date('2026-03-06T09:15:02').getTime() - START.getTime(),
      image: { argv: ['/Applications/Größe Über.app/Contents/MacOS/Größe Über', '--token', '[redacted]'], redacted: 1 },
    });
    expect(source.lookUp(512)?.image.name).toBe('-zsh');
    expect(source.lookUp(408)?.image).toMatchObject({ argv: [], unseen: [] });
    expect(source.lookUp(0)?.image).toMatchObject({ argv: [], isKernelThread: true });
    expect(coverage).toMatchObject({ seen: 7, vanished: 1, errors: 0, otherUsersHidden: false });
  });
});

describe('splitMacosCommand', () => {
  it.each([
    ['/a b/c d', '/a b/c', ['/a b/c', 'd']],
    ['/a b/c', '/a b/c', ['/a b/c']],
    ['/a b/cd e', '/a b/c', ['/a', 'b/cd', 'e']],
    ['c  d', '/a/c', ['c', '', 'd']],
    ['c', null, ['c']],
  ])('%j of %j', (command, path, expected) => {
    expect(splitMacosCommand(command, path)).toEqual(expected);
    expect(expected.join(' ')).toBe(command);
  });
});
