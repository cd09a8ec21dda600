import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { createWindowsSource, windowsListing, type WindowsLibraries, type WmiRow } from './windows-processes.ts';

/** In the form in which systeminformation gives them on Windows. */
const rows: WmiRow[] = [
  {
    pid: 0,
    parentPid: 0,
    name: 'System Idle Process',
    path: null,
    command: 'System Idle Process',
    started: null,
    state: 'unknown',
    cpu: 90,
    memRss: 8,
  },
  {
    pid: 4,
    parentPid: 0,
    name: 'System',
    path: null,
    command: 'System',
    started: '2026-03-06 08:00:11',
    state: 'unknown',
    cpu: 1,
    memRss: 148,
  },
  {
    pid: 108,
    parentPid: 4,
    name: 'Registry',
    path: null,
    command: 'Registry',
    started: '2026-03-06 08:00:07',
    state: 'unknown',
    cpu: 0,
    memRss: 72_544,
  },
  {
    pid: 724,
    parentPid: 652,
    name: 'csrss.exe',
    path: null,
    command: 'csrss.exe',
    started: '2026-03-06 08:00:16',
    state: 'unknown',
    cpu: 0.1,
    memRss: 5500,
  },
  {
    pid: 6200,
    parentPid: 5120,
    name: 'Größe \u202eexe.txt',
    path: 'C:\\Program Files\\Größe\\a.exe',
    command: '"C:\\Program Files\\Größe\\a.exe" --password="s3 cret" "x\\\\"',
    started: '2026-03-06 09:15:02',
    state: 'running',
    cpu: 2.5,
    memRss: 25_600,
  },
  {
    pid: 6200,
    parentPid: 1,
    name: 'gone.exe',
    path: 'C:\\gone.exe',
    command: 'gone',
    started: '2026-03-06 08:59:59',
    state: 'terminated',
    cpu: 0,
    memRss: 0,
  },
  {
    pid: 7004,
    parentPid: 5120,
    name: 'net.exe',
    path: 'C:\\net.exe',
    command: 'net.exe',
    started: null,
    state: 'suspended blocked',
    cpu: Number.NaN,
    memRss: null,
  },
  { pid: null, parentPid: null, name: null, path: null, command: null },
];
const fails = (): Promise<never> => Promise.reject(new Error('Windows ARM64 is not supported yet.'));
const librariesOf = (changes: Partial<WindowsLibraries> = {}): WindowsLibraries => ({
  wmi: () => Promise.resolve(rows),
  psList: fails,
  ...changes,
});

describe('windowsListing', () => {
  it('takes the idle process for nobody, and the name in place of a command line for none', async () => {
    const listing = await windowsListing(librariesOf(), false);
    expect(listing.rows.map(({ pid, name, command, state, isKernel }) => [pid, name, command, state, isKernel])).toEqual([
      [4, 'System', null, 'unknown', true],
      [108, 'Registry', null, 'unknown', true],
      [724, 'csrss.exe', null, 'unknown', false],
      [6200, 'Größe \u202eexe.txt', '"C:\\Program Files\\Größe\\a.exe" --password="s3 cret" "x\\\\"', 'running', false],
      [6200, 'gone.exe', 'gone', 'dead', false],
      [7004, 'net.exe', 'net.exe', 'stopped', false],
      [-1, '', null, 'unknown', false],
    ]);
    expect(listing.rows[3]).toMatchObject({
      cpuPercent: 2.5 * availableParallelism(),
      memoryBytes: 26_214_400,
      startedMs: new Date(2026, 2, 6, 9, 15, 2).getTime(),
      user: null,
      userId: null,
    });
    expect(listing.rows[5]).toMatchObject({ cpuPercent: null, memoryBytes: null, startedMs: null });
    expect(listing.lacks).toEqual(['owners are not known']);
  });

  it('has no shares of time in the first one', async () => {
    const listing = await windowsListing(librariesOf(), true);
    expect(new Set(listing.rows.map(({ cpuPercent }) => cpuPercent))).toEqual(new Set([null]));
  });

  it('asks ps-list where WMI lists nobody, and fails where nobody is listed at all', async () => {
    const wmi = (): Promise<WmiRow[]> => Promise.resolve([]);
    const psList = (): Promise<{ pid: number; ppid: number; name: string }[]> =>
      Promise.resolve([
        { pid: 0, ppid: 0, name: '[System Process]' },
        { pid: 5120, ppid: 4988, name: 'explorer.exe' },
      ]);
    const listing = await windowsListing(librariesOf({ wmi, psList }), false);
    expect(listing.rows).toEqual([
      expect.objectContaining({ pid: 5120, ppid: 4988, name: 'explorer.exe', command: null, startedMs: null, memoryBytes: null }),
    ]);
    expect(listing.lacks[1]).toContain('only pids, parents and names');
    await expect(windowsListing(librariesOf({ wmi }), false)).rejects.toThrow(/WMI lists nobody, and ps-list fails: Windows ARM64/);
    await expect(windowsListing(librariesOf({ wmi, psList: wmi }), false)).rejects.toThrow(/neither WMI nor ps-list/);
  });
});

describe('createWindowsSource', () => {
  it('scans recorded listings', async () => {
    const source = createWindowsSource({ redact: (argv) => ({ argv, redacted: 0 }), argvLimitBytes: 4096 }, librariesOf());
    await source.prepare();
    const { processes, coverage, bootId } = source.scan();
    expect(bootId).toBe(`windows-wmi-${new Date(2026, 2, 6, 8, 0, 11).getTime()}`);
    expect(processes.map(({ pid, startTicks }) => [pid, startTicks])).toEqual([
      [4, 0],
      [108, 0],
      [724, 5000],
      [6200, 4_491_000],
      [7004, 0],
    ]);
    expect(source.lookUp(6200)?.image.argv).toEqual(['C:\\Program Files\\Größe\\a.exe', '--password=s3 cret', 'x\\']);
    expect(source.lookUp(6200)?.cpuPercent).toBeNull();
    expect(source.lookUp(108)?.image).toMatchObject({ argv: [], isKernelThread: true });
    expect(source.lookUp(724)?.image.unseen.map(({ field }) => field)).toEqual(['exe', 'argv', 'owner']);
    expect(coverage).toMatchObject({ seen: 5, vanished: 1, errors: 1 });
    await source.prepare();
    source.scan();
    expect(source.lookUp(6200)?.cpuPercent).toBe(2.5 * availableParallelism());
  });
});
