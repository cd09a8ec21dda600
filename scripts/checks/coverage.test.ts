import { describe, expect, it } from 'vitest';
import { checkCoverage, coverageByPackage } from './coverage.ts';

const lines = (covered: number, total: number): { lines: { covered: number; total: number } } => ({ lines: { covered, total } });

describe('coverageByPackage', () => {
  it('sums lines, not percentages, and asks only where the zone does', () => {
    const summary = {
      total: lines(1, 1),
      '/r/packages/store/src/a.ts': lines(1, 10),
      '/r/packages/store/src/b.ts': lines(90, 90),
      '/r/packages/procmond/src/a.ts': lines(0, 10),
      '/r/packages/model/src/types.ts': lines(0, 0),
    };
    expect(coverageByPackage('/r', summary)).toEqual([
      { packageName: 'model', percent: 100, least: 85 },
      { packageName: 'procmond', percent: 0 },
      { packageName: 'store', percent: 91, least: 85 },
    ]);
  });
});

describe('checkCoverage', () => {
  it('fails below what is asked for, and where nothing was measured', () => {
    expect(checkCoverage([{ packageName: 'store', percent: 85, least: 85 }])).toEqual([]);
    expect(checkCoverage([{ packageName: 'procmond', percent: 0 }])).toEqual([]);
    expect(checkCoverage([{ packageName: 'store', percent: 84.9, least: 85 }])).toEqual([
      { rule: 'coverage', message: 'store: 84.9 % of lines, asked for are 85 %' },
    ]);
    expect(checkCoverage([])).toHaveLength(1);
  });
});
