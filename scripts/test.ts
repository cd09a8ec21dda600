/**
 * What `pnpm test` runs: types, programs, checks, tests. With arguments it runs the tests they name
 * (`pnpm test packages/store`), without checks. The last line is `N passed, N failed`, checks counted too.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './checks/command.ts';
import { REPOSITORY } from './checks/finding.ts';
import { addTallies, describeResult, formatTally, runChecks, type Tally } from './checks/run.ts';
import type { SkippedTest, TestTally } from './checks/tally-reporter.ts';

const PASSED: Tally = { passed: 1, failed: 0, skipped: 0 };
const FAILED: Tally = { passed: 0, failed: 1, skipped: 0 };
/** What does not end by then hangs. */
const TIME_LIMIT_MS = 1_800_000;
/** What everything together should take on two cores; a slower machine may take longer, and is told. */
const EXPECTED_MS = 600_000;

const started = performance.now();
const phases: { readonly name: string; readonly ms: number }[] = [];

async function runPhase(name: string, phase: () => Promise<Tally>): Promise<Tally> {
  const from = performance.now();
  console.log(`\n== ${name}`);
  const tally = await phase();
  phases.push({ name, ms: Math.round(performance.now() - from) });
  return tally;
}

async function runAsCheck(name: string, command: readonly [string, ...string[]]): Promise<Tally> {
  const result = await runCommand(command);
  console.log(describeResult(name, result));
  return result.ok ? PASSED : FAILED;
}

async function buildPrograms(): Promise<Tally> {
  const types = await runAsCheck('types', ['tsc', '-b']);
  if (!existsSync(join(REPOSITORY, 'scripts/build.ts'))) return types;
  return addTallies(types, await runAsCheck('programs', ['node', 'scripts/build.ts']));
}

function showSkipped(skipped: readonly SkippedTest[]): void {
  if (skipped.length > 0) console.log(`\nSkipped tests (${String(skipped.length)}):`);
  for (const { file, name, reason } of skipped) {
    // A test may say in its name what it needs: `reads on after the writer stopped (needs root)`.
    const why = reason ?? (name.endsWith(')') ? undefined : 'NO REASON GIVEN');
    console.log(`  ${file}: ${name}${why === undefined ? '' : `: ${why}`}`);
  }
}

function readTally(file: string, ok: boolean, failure = 'vitest ended without a result'): Tally {
  if (!existsSync(file)) {
    console.log(failure);
    return FAILED;
  }
  const { passed, failed, skipped } = JSON.parse(readFileSync(file, 'utf8')) as TestTally;
  showSkipped(skipped);
  if (passed + failed === 0) console.log('no test ran');
  const unexplained = failed === 0 && (!ok || passed === 0);
  return { passed, failed: unexplained ? 1 : failed, skipped: skipped.length };
}

async function runTests(names: readonly string[], directory: string): Promise<Tally> {
  const tallyFile = join(directory, 'tally.json');
  const { ok, failure } = await runCommand(
    ['vitest', 'run', '--reporter=default', '--reporter=./scripts/checks/tally-reporter.ts', ...names],
    { show: true, env: { TEST_TALLY_FILE: tallyFile }, timeoutMs: Math.max(1000, TIME_LIMIT_MS - (performance.now() - started)) },
  );
  return readTally(tallyFile, ok, failure);
}

const names = process.argv.slice(2).filter((argument) => argument !== '--');
const everything = names.length === 0;
// Of this run alone: several may run at once.
const directory = mkdtempSync(join(tmpdir(), 'sentineld-test-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

const tallies = [await runPhase('build', buildPrograms)];
if (everything) tallies.push(await runPhase('checks', runChecks));
tallies.push(await runPhase('tests', () => runTests(names, directory)));

const tally = tallies.reduce(addTallies);
console.log(`\n${phases.map(({ name, ms }) => `${name} ${(ms / 1000).toFixed(1)} s`).join(', ')}`);
const tookMs = performance.now() - started;
if (everything && tookMs > EXPECTED_MS)
  console.log(`note: all of it took ${(tookMs / 60_000).toFixed(1)} minutes; on two cores of its own it should stay below ten`);
console.log(formatTally(tally));
if (tally.failed > 0) process.exitCode = 1;
