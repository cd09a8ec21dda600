import { describe, expect, it } from 'vitest';
import { createWorkload, eventsPerScan, lastingPid } from './process-workload.ts';

type Numbers = readonly [cpu: number | null, memory: number, status: string];

function snapshot(workload: ReturnType<typeof createWorkload>): Map<number, Numbers> {
  return new Map(workload.next().processes.map((one) => [one.pid, [one.cpuPercent, one.memoryBytes, one.status]]));
}

describe('the made-up server', () => {
  it.each([200, 10_000])('of %i processes has 2 % new and 10 % changed ones in every scan', (size) => {
    const workload = createWorkload(size);
    let before = snapshot(workload);
    expect([...before.values()].every(([cpu]) => cpu !== null)).toBe(true);
    for (let scan = 0; scan < 12; scan++) {
      const after = snapshot(workload);
      expect(after.size).toBe(size);
      const fresh = [...after.keys()].filter((pid) => !before.has(pid));
      const changed = [...after].filter(([pid, numbers]) => before.has(pid) && JSON.stringify(before.get(pid)) !== JSON.stringify(numbers));
      expect([fresh.length, changed.length]).toEqual([size * 0.02, size * 0.1]);
      expect(fresh.map((pid) => after.get(pid)?.[0])).toEqual(fresh.map(() => null));
      const eventsOf = (kind: string): number[] => workload.events().flatMap((event) => (event.kind === kind ? [event.pid] : []));
      expect(new Set(eventsOf('exec'))).toEqual(new Set(fresh));
      expect(new Set(eventsOf('exit'))).toEqual(new Set([...before.keys()].filter((pid) => !after.has(pid))));
      expect(workload.events()).toHaveLength(eventsPerScan(size));
      before = after;
    }
    expect(before.has(lastingPid(size))).toBe(true);
  });

  it('is the same every time', () => {
    const [first, second] = [createWorkload(200), createWorkload(200)];
    for (let scan = 0; scan < 5; scan++) expect(first.next()).toEqual(second.next());
  });
});
