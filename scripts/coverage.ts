/**
 * `pnpm coverage`: how many lines the tests of the packages run, and whether that is what is asked for. Measuring makes
 * tests slower, so it is not a part of `pnpm test`. The last line is `N passed, N failed`, of packages.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './checks/command.ts';
import { checkCoverage, readCoverage } from './checks/coverage.ts';
import { REPOSITORY, formatFinding } from './checks/finding.ts';

/** On two cores it takes a third of this. */
const TIME_LIMIT_MS = 900_000;

const directory = mkdtempSync(join(tmpdir(), 'sentineld-coverage-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

// Tests of whole programs run them as processes of their own, of which nothing is measured.
const { failure } = await runCommand(
  [
    'vitest',
    'run',
    '--exclude=packages/testing/**',
    '--exclude=scripts/**',
    '--coverage',
    // Whether tests pass is asked by `pnpm test`; here one that failed beside others must not hide the figures.
    '--coverage.reportOnFailure',
    '--coverage.reporter=text-summary',
    '--coverage.reporter=json-summary',
    `--coverage.reportsDirectory=${join(directory, 'coverage')}`,
  ],
  { show: true, timeoutMs: TIME_LIMIT_MS },
);
const file = join(directory, 'coverage', 'coverage-summary.json');
const packages = existsSync(file) ? readCoverage(REPOSITORY, file) : [];
for (const { packageName, percent, least } of packages) {
  console.log(`${packageName.padEnd(18)}${percent.toFixed(1).padStart(6)} %${least === undefined ? '' : `   at least ${String(least)} %`}`);
}
const findings = checkCoverage(packages);
for (const finding of findings) console.log(formatFinding(finding));
if (packages.length === 0 && failure !== undefined) console.log(failure);
console.log(`${String(Math.max(0, packages.length - findings.length))} passed, ${String(findings.length)} failed`);
if (findings.length > 0) process.exitCode = 1;
