import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { WANT } from '@sentineld/native/process-files';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gatherCrew, type Crew } from './fixtures/crew.fixture.ts';
import { createTestSource, nativeCalls } from './fixtures/test-source.fixture.ts';
import type { ProcCalls } from './proc-files.ts';
import type { ProcessSource } from './process-source.ts';

const CROWD = 64;
const COUNTED = ['openSync', 'readlinkSync', 'statSync', 'readSync'] as const;

let crew: Crew;
let source: ProcessSource;
let pids: readonly number[] = [];
beforeEach(async () => {
  crew = gatherCrew();
  source = createTestSource({ openFileLimit: 4096, argvLimitBytes: 4096, native: null });
  // A file that nobody else runs.
  const program = crew.copyOfSleep('crowd');
  pids = Array.from({ length: CROWD }, () => crew.start(program, ['1000']).pid);
  const settled = () => source.scan().processes.filter(({ image, status }) => image.name === 'crowd' && status === 'sleeping').length;
  await expect.poll(settled).toBe(CROWD);
  // Now all of them are known as what they became.
  source.scan();
});
afterEach(async () => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  source.close();
  await crew.close();
});

/** Runs `work` and gives back, for each call, the paths or descriptors that it was made with. */
function callsOf(work: () => void): Record<(typeof COUNTED)[number], readonly unknown[]> {
  const calls: Record<(typeof COUNTED)[number], unknown[]> = { openSync: [], readlinkSync: [], statSync: [], readSync: [] };
  for (const name of COUNTED) {
    const original: (...parameters: never[]) => unknown = fs[name];
    vi.spyOn(fs, name).mockImplementation(((...parameters: never[]) => {
      calls[name].push(parameters[0]);
      return original(...parameters);
    }) as never);
  }
  syncBuiltinESMExports();
  work();
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  return calls;
}

const ofCrowd = (calls: readonly unknown[]): unknown[] =>
  calls.filter((path) => pids.some((pid) => String(path).startsWith(`/proc/${pid}/`) || path === `/proc/${pid}`));

describe('the work of a scan without the addon', () => {
  // Other tests start and end processes on the same host meanwhile; a second look is not troubled by the same ones.
  it('is one read for each process that sleeps, stat and owner in turn once in 32 scans and all details once in 128', { retry: 2 }, () => {
    const scans = 128;
    // So many until it is known that they sleep.
    for (let scan = 0; scan < 8; scan++) source.scan();
    const { openSync, readlinkSync, readSync, statSync } = callsOf(() => {
      for (let scan = 0; scan < scans; scan++) source.scan();
    });
    // One after the other each had its turns: stat opened four times, everything else opened once, and nine links read once.
    const details = ['cmdline', 'status', 'loginuid', 'cgroup'];
    const opened = pids.flatMap((pid) => [...details, 'stat', 'stat', 'stat', 'stat'].map((name) => `/proc/${pid}/${name}`));
    expect(ofCrowd(openSync).toSorted()).toEqual(opened.toSorted());
    expect(ofCrowd(readlinkSync)).toHaveLength(9 * CROWD);
    // The directory four times and the executable once, and the one file that all run through one of them in each scan.
    expect(ofCrowd(statSync)).toHaveLength(5 * CROWD + scans);
    // All processes of the machine are read; nobody's stat twice but in their turn.
    const perScan = readSync.length / scans;
    const known = source.scan().processes.length;
    expect(perScan).toBeLessThan(known * 1.25 + 10);
    expect(perScan).toBeGreaterThanOrEqual(CROWD);
  });

  it('at first sight is one read of stat, and another one of a young process, which may be about to call exec', () => {
    const fresh = createTestSource({ openFileLimit: 4096, argvLimitBytes: 4096, native: null });
    const pidOf = new Map<unknown, number>();
    const reads = new Map<number, number>();
    const original = { openSync: fs.openSync, readSync: fs.readSync as (...parameters: unknown[]) => number };
    vi.spyOn(fs, 'openSync').mockImplementation((path, ...others) => {
      const descriptor = original.openSync(path, ...others);
      const pid = /^\/proc\/(\d+)\/(stat$)?/.exec(String(path));
      pidOf.set(descriptor, pid?.[2] === 'stat' ? Number(pid[1]) : 0);
      return descriptor;
    });
    vi.spyOn(fs, 'readSync').mockImplementation((...parameters: unknown[]) => {
      const pid = pidOf.get(parameters[0]) ?? 0;
      reads.set(pid, (reads.get(pid) ?? 0) + 1);
      return original.readSync(...parameters);
    });
    syncBuiltinESMExports();
    const young = crew.start('sleep', ['1000']).pid;
    fresh.scan();
    fresh.close();
    expect([reads.get(young), reads.get(1)]).toEqual([expect.toSatisfy((count: number) => count >= 2), 1]);
  });

  it('looks at a file once, however many run it', () => {
    const { statSync } = callsOf(() => source.scan());
    const looks = ofCrowd(statSync).filter((path) => String(path).endsWith('/exe'));
    // One look for all, and those whose turn it is: in a turn are pids that leave the same remainder.
    const turns = Map.groupBy(pids, (pid) => pid % 128);
    expect(looks.length).toBeLessThanOrEqual(1 + Math.max(...[...turns.values()].map((inTurn) => inTurn.length)));
  });
});

describe.skipIf(nativeCalls === null)('the work of a scan (needs the addon)', () => {
  const ALL = Object.values(WANT).reduce((all, want) => all | want, 0);

  /** A source that notes what the addon is asked for, by pid. */
  function noting(openFileLimit: number) {
    const asked: { readonly pid: number; readonly wants: number }[] = [];
    const native: ProcCalls = {
      listProcesses: (list) => nativeCalls?.listProcesses(list) ?? 0,
      readProcess: (pid, buffer, numbers, wants) => {
        asked.push({ pid, wants });
        return nativeCalls?.readProcess(pid, buffer, numbers, wants) ?? -1;
      },
    };
    return { source: createTestSource({ openFileLimit, argvLimitBytes: 4096, native }), asked };
  }

  it('is one call for each process that is new, and one once in 128 scans', () => {
    const { source: noted, asked } = noting(4096);
    const calls = callsOf(() => void noted.scan());
    const ofEach = Map.groupBy(asked, ({ pid }) => pid);
    // Nothing else is opened or looked at, but for the file that all of them run.
    expect(ofCrowd(calls.openSync)).toEqual([]);
    expect(ofCrowd(calls.readlinkSync)).toEqual([]);
    expect(ofCrowd(calls.statSync)).toHaveLength(1);
    expect(pids.map((pid) => ofEach.get(pid)?.[0]?.wants)).toEqual(pids.map(() => ALL));
    asked.length = 0;
    for (let scan = 0; scan < 128; scan++) noted.scan();
    const again = asked.filter(({ pid }) => pids.includes(pid));
    expect(again.map(({ pid }) => pid).toSorted()).toEqual(pids.toSorted());
    expect(new Set(again.map(({ wants }) => wants))).toEqual(new Set([ALL & ~WANT.stat & ~WANT.hold]));
    noted.close();
  });

  it('holds no more descriptors than there is room for, and does not ask for them', () => {
    const { source: poor, asked } = noting(256 + 10);
    const known = poor.scan().processes.length;
    const firsts = [...Map.groupBy(asked, ({ pid }) => pid).values()].map((list) => list[0]?.wants ?? 0);
    expect(firsts.filter((wants) => (wants & WANT.hold) !== 0)).toHaveLength(10);
    expect(poor.notes()).toEqual([`${known - 10} processes are read without a held descriptor (limit of open files)`]);
    poor.close();
  });
});
