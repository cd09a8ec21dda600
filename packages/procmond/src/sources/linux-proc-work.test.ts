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
  source = createLinuxProcSource({ openFileLimit: 1_000_000, argvLimitBytes: 4096 });
  // A file that nobody else runs.
  const program = crew.copyOfSleep('crowd');
  pids = Array.from({ length: CROWD }, () => crew.start(program, ['1000']).pid);
  const settled = () => source.scan().processes.filter(({ image, status }) => image.name === 'crowd' && status === 'sleeping').length;
  await expect.poll(settled, { timeout: 5000 }).toBe(CROWD);
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
  it('is one read for each process that did not change, and its details in turn once in 32 scans', () => {
    const scans = 32;
    const { openSync, readlinkSync, readSync, statSync } = callsOf(() => {
      for (let scan = 0; scan < scans; scan++) source.scan();
    });
    // One after the other each had its turn: arguments opened and the link read once.
    expect(ofCrowd(openSync).toSorted()).toEqual(pids.map((pid) => `/proc/${pid}/cmdline`).toSorted());
    expect(ofCrowd(readlinkSync)).toHaveLength(CROWD);
    // The directory and the executable in turn, and the one file that all run through one of them in each scan.
    expect(ofCrowd(statSync)).toHaveLength(2 * CROWD + scans);
    // All processes of the machine are read; nobody's stat twice but in their turn.
    const perScan = readSync.length / scans;
    const known = source.scan().processes.length;
    expect(perScan).toBeLessThan(known * 1.25 + 10);
    expect(perScan).toBeGreaterThanOrEqual(CROWD);
  });

  it('looks at a file once, however many run it', () => {
    const { statSync } = callsOf(() => source.scan());
    const looks = ofCrowd(statSync).filter((path) => String(path).endsWith('/exe'));
    // One look for all, and those whose turn it is.
    expect(looks.length).toBeLessThanOrEqual(1 + CROWD / 32 + 1);
  });
});
