/**
 * The sources of other systems, run here: through the libraries on text in the form in which ps(1) and PowerShell print it
 * there, and live on Linux beside the Linux source. Names are ASCII where ps(1) is asked: it rewrites others.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scan } from '@sentineld/model/scan';
import psList from 'ps-list';
import { processes as measure } from 'systeminformation/lib/processes.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { gatherCrew, type Crew } from './fixtures/crew.fixture.ts';
import { createMacosSource } from './macos-processes.ts';
import { createProcessSource } from './platform-source.ts';
import type { ProcessSource } from './process-source.ts';
import { createWindowsSource } from './windows-processes.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const hasPs = spawnSync('ps', ['--version']).status === 0;
const redact = (argv: readonly string[]): { readonly argv: readonly string[]; readonly redacted: number } => ({ argv, redacted: 0 });
const options = { openFileLimit: 1024, argvLimitBytes: 131_072, redact, native: null };

function runFixture(name: string, platform: string, path?: string): unknown {
  const output = execFileSync(process.execPath, ['--conditions=sentineld-source', join(FIXTURES, name), platform], {
    encoding: 'utf8',
    env: { ...process.env, ...(path === undefined ? {} : { PATH: path }), TZ: 'UTC' },
    maxBuffer: 67_108_864,
  });
  return JSON.parse(output);
}

describe('createProcessSource', () => {
  it('refuses a system that it does not know', async () => {
    await expect(createProcessSource('plan9', options)).rejects.toMatchObject({ code: 'source.unavailable' });
  });

  it.skipIf(!hasPs)('loads a system only where it is that system, and its libraries for the first listing (needs ps)', () => {
    expect(runFixture('loaded-modules.fixture.ts', 'linux')).toEqual({ made: ['linux-proc'], scanned: ['linux-proc'] });
    expect(runFixture('loaded-modules.fixture.ts', 'darwin')).toEqual({
      made: ['linux-proc', 'macos-processes'],
      scanned: ['linux-proc', 'macos-processes', 'ps-list', 'systeminformation'],
    });
  });
});

describe('the libraries on recorded output', () => {
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-other-'));
    for (const tool of ['sh', 'cat']) symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(directory, tool));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const tool = (name: string, lines: string): void => {
    writeFileSync(join(directory, name), `#!/bin/sh\ncd '${join(FIXTURES, 'recorded')}' || exit 1\n${lines}\n`);
    chmodSync(join(directory, name), 0o755);
  };

  it('are a scan of macOS', () => {
    tool('ps', 'case "$2" in pid=,ppid=*) cat macos-ps-list.txt;; pid=,args=) cat macos-ps-args.txt;; *) cat macos-ps-measured.txt;; esac');
    const { processes, coverage, bootId } = runFixture('other-system.fixture.ts', 'darwin', directory) as Scan;
    expect(bootId).toBe(`macos-ps-${Date.UTC(2026, 2, 6, 8, 0, 11)}`);
    expect(processes.map(({ pid, image, status }) => [pid, image.ppid, image.name, image.userName, status])).toEqual([
      [1, 0, 'launchd', 'root', 'sleeping'],
      [88, 1, 'logd', 'root', 'disk_sleep'],
      [231, 1, 'Finder', 'bob', 'sleeping'],
      [407, 231, 'Größe Über', 'bob', 'sleeping'],
      [408, 407, '(Größe Über)', 'bob', 'zombie'],
      [512, 231, '-zsh', null, 'sleeping'],
      [513, 512, 'mysql', 'bob', 'running'],
      [514, 512, expect.stringContaining('odd name'), null, 'unknown'],
    ]);
    expect(processes[3]?.image).toMatchObject({
      argv: ['/Applications/Größe Über.app/Contents/MacOS/Größe Über', '--token', '[redacted]', '--lang=de'],
      redacted: 1,
      userId: 501,
      startTimeMs: Date.UTC(2026, 2, 6, 9, 15, 2),
    });
    expect(processes[6]).toMatchObject({
      cpuPercent: 100,
      memoryBytes: 18_432 * 1024,
      image: { argv: ['mysql', '-u', 'root', '-p[redacted]', 'db'] },
    });
    expect(coverage.reason).toContain('start of 1 of 8');
  });

  it('are a scan of Windows', () => {
    tool('powershell.exe', 'cat > /dev/null\ncat windows-wmi.json');
    const { processes, bootId } = runFixture('other-system.fixture.ts', 'win32', directory) as Scan;
    expect(bootId).toBe(`windows-wmi-${Date.UTC(2026, 2, 6, 8, 0, 11)}`);
    expect(processes.map(({ pid, image, memoryBytes }) => [pid, image.ppid, image.name, memoryBytes])).toEqual([
      [4, 0, 'System', 151_552],
      [108, 4, 'Registry', 74_285_056],
      [724, 652, 'csrss.exe', 5_632_000],
      [5120, 4988, 'explorer.exe', 176_160_768],
      [6200, 5120, 'Größe Über.exe', 26_214_400],
      [7004, 5120, 'net.exe', 4_096_000],
    ]);
    expect(processes[4]?.image.argv).toEqual([
      'C:\\Program Files\\Größe Über\\Größe Über.exe',
      '--password=[redacted]',
      '/lang:de',
      'C:\\dir with\\',
    ]);
    expect(processes[5]?.image.argv).toEqual(['net', 'use', 'Z:', '\\\\files\\share', '[redacted]', '/user:corp\\bob']);
  });

  it('say that nobody is listed where PowerShell tells nothing', () => {
    tool('powershell.exe', 'cat > /dev/null\necho broken');
    expect(runFixture('other-system.fixture.ts', 'win32', directory)).toEqual({
      error: expect.stringMatching(/WMI lists nobody, and ps-list fails/),
    });
  });
});

describe.skipIf(!hasPs)('live, beside the Linux source (needs ps)', () => {
  let crew: Crew;
  let linux: ProcessSource;
  const pids: number[] = [];
  beforeAll(async () => {
    crew = gatherCrew();
    linux = await createProcessSource('linux', options);
    for (const name of ['short', 'da-sh', 'dot.ted', 'under_score']) pids.push(crew.start(crew.copyOfSleep(name), ['600']).pid);
    await vi.waitFor(
      () => {
        linux.scan();
        expect(pids.map((pid) => linux.lookUp(pid)?.image.name)).toEqual(['short', 'da-sh', 'dot.ted', 'under_score']);
      },
      { timeout: 20_000, interval: 100 },
    );
  });
  afterAll(async () => {
    linux.close();
    await crew.close();
  });

  const sources: readonly (readonly [string, () => ProcessSource])[] = [
    ['macOS', () => createMacosSource(options, async () => ({ listed: await psList(), measured: (await measure()).list }))],
    ['Windows', () => createWindowsSource(options, { wmi: async () => (await measure()).list, psList })],
    ['Windows, by ps-list alone', () => createWindowsSource(options, { wmi: () => Promise.resolve([]), psList })],
  ];
  it.each(sources)('the source of %s finds our processes under their parent and name', async (_, create) => {
    const source = create();
    await source.prepare?.();
    const { processes } = source.scan();
    linux.scan();
    expect(processes.length).toBeGreaterThan(pids.length);
    for (const pid of pids) {
      const seen = source.lookUp(pid);
      expect(seen?.image).toMatchObject({ ppid: linux.lookUp(pid)?.image.ppid, name: linux.lookUp(pid)?.image.name });
    }
    source.close();
  });
});
