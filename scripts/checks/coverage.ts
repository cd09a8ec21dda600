/**
 * Reads vitest's coverage summary and asks a share of covered lines of the packages whose mistakes cost most. Code
 * that only runs in child processes is not seen by the measurement; it counts as not covered.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Finding } from './finding.ts';
import { zoneOfFile, type Zone } from './zones.ts';

const LEAST_PERCENT: Readonly<Partial<Record<Zone, number>>> = { pure: 85, disk: 85, analysis: 85 };

type Lines = { readonly lines: { readonly total: number; readonly covered: number } };

export type PackageCoverage = { readonly packageName: string; readonly percent: number; readonly least?: number };

/** `summary` is the json-summary of vitest: absolute paths, and `total`. */
export function coverageByPackage(root: string, summary: Readonly<Record<string, Lines>>): PackageCoverage[] {
  const sums = new Map<string, { total: number; covered: number; least: number | undefined }>();
  for (const [path, { lines }] of Object.entries(summary)) {
    const file = relative(root, path);
    const name = /^packages\/([^/]+)\//.exec(file)?.[1];
    if (name === undefined) continue;
    const sum = sums.get(name) ?? { total: 0, covered: 0, least: LEAST_PERCENT[zoneOfFile(file) ?? 'tests'] };
    sums.set(name, { ...sum, total: sum.total + lines.total, covered: sum.covered + lines.covered });
  }
  return [...sums]
    .map(([packageName, { total, covered, least }]) => ({
      packageName,
      percent: total === 0 ? 100 : Math.floor((covered / total) * 1000) / 10,
      ...(least === undefined ? {} : { least }),
    }))
    .toSorted((a, b) => (a.packageName < b.packageName ? -1 : 1));
}

export function readCoverage(root: string, summaryFile: string): PackageCoverage[] {
  return coverageByPackage(root, JSON.parse(readFileSync(summaryFile, 'utf8')) as Record<string, Lines>);
}

export function checkCoverage(packages: readonly PackageCoverage[]): Finding[] {
  if (packages.length === 0) return [{ rule: 'coverage', message: 'nothing was measured' }];
  return packages.flatMap(({ packageName, percent, least }) =>
    least === undefined || percent >= least
      ? []
      : [{ rule: 'coverage', message: `${packageName}: ${String(percent)} % of lines, asked for are ${String(least)} %` }],
  );
}
