import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gatherCrew, type Crew } from './fixtures/crew.fixture.ts';
import { createLinuxProcSource } from './linux-proc.ts';
import type { ProcessSource } from './process-source.ts';

const CROWD = 64;
const COUNTED = ['openSync', 'readlinkSync', 'statSync', 'readSync'] as const;

let crew: Crew;
let source: ProcessSource;
let pids: readonly number[] = [];
beforeEach(async () => {
  crew = gatherCrew();
  source = createLinuxProcSource({ openFileLimit: 4096, argvLimitBytes: 4096 });
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

describe('the work of a scan', () => {
  it('is one read for each process that sleeps, stat and owner in turn once in 32 scans and all details once in 128', () => {
    const scans = 128;
    // So many until it is known that they sleep.
    for (let scan = 0; scan < 8; scan++) source.scan();
    const { openSync, readlinkSync, readSync, statSync } = callsOf(() => {
      for (let scan = 0; scan < scans; scan++) source.scan();
    });
    // One after the other each had its turns: stat opened four times, arguments opened and the link read once.
    const opened = pids.flatMap((pid) => [`/proc/${pid}/cmdline`, ...Array<string>(4).fill(`/proc/${pid}/stat`)]);
    expect(ofCrowd(openSync).toSorted()).toEqual(opened.toSorted());
    expect(ofCrowd(readlinkSync)).toHaveLength(CROWD);
    // The directory four times and the executable once, and the one file that all run through one of them in each scan.
    expect(ofCrowd(statSync)).toHaveLength(5 * CROWD + scans);
    // All processes of the machine are read; nobody's stat twice but in their turn.
    const perScan = readSync.length / scans;
    const known = source.scan().processes.length;
    expect(perScan).toBeLessThan(known * 1.25 + 10);
    expect(perScan).toBeGreaterThanOrEqual(CROWD);
  });

  it('at first sight is one read of stat, and another one of a young process, which may be about to call exec', () => {
    const fresh = createLinuxProcSource({ openFileLimit: 4096, argvLimitBytes: 4096 });
    const pidOf = new Map<unknown, number>();
    const reads = new Map<number, number>();
    const original = { openSync: fs.openSync, readSync: fs.readSync as (...parameters: unknown[]) => number };
    vi.spyOn(fs, 'openSync').mockImplementation((path, ...others) => {
      const descriptor = original.openSync(path, ...others);
      const pid = /^\/proc\/(\d+)\/(stat)?/.exec(String(path));
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
