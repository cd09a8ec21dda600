/**
 * Runs every check of the code that is not a test, two at a time, and shows one line for each; what a check found is
 * shown below its line. A new check is one line in CHECKS.
 */
import { runCommand, type CommandResult } from './command.ts';

type Check = { readonly name: string; readonly command: readonly [string, ...string[]] };
export type Tally = { readonly passed: number; readonly failed: number; readonly skipped: number };

const CHECKS: readonly Check[] = [
  { name: 'format', command: ['oxfmt', '--list-different', '.'] },
  { name: 'lint', command: ['oxlint', '--format=unix'] },
  { name: 'boundaries', command: ['node', 'scripts/checks/boundaries.ts'] },
  { name: 'forbidden-calls', command: ['node', 'scripts/checks/forbidden-calls.ts'] },
  { name: 'reach', command: ['node', 'scripts/checks/reach.ts'] },
  { name: 'style', command: ['node', 'scripts/checks/style.ts'] },
  { name: 'lengths', command: ['node', 'scripts/checks/lengths.ts'] },
  { name: 'unused', command: ['knip', '--no-progress', '--no-config-hints'] },
  { name: 'licences', command: ['node', 'scripts/checks/licences.ts'] },
  { name: 'pins', command: ['node', 'scripts/checks/pins.ts'] },
];

const AT_ONCE = 2;

/** `name  ok  123 ms`, and below it all output where it failed, only its notes where it passed. */
export function describeResult(name: string, { ok, failure, stdout, stderr, ms }: CommandResult): string {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  const shown = ok ? lines.filter((line) => line.startsWith('note: ')) : [...lines, ...(failure === undefined ? [] : [failure])];
  return [`${name.padEnd(18)}${ok ? 'ok    ' : 'failed'} ${String(ms).padStart(6)} ms`, ...shown.map((line) => `    ${line}`)].join('\n');
}

export async function runChecks(): Promise<Tally> {
  const waiting = [...CHECKS];
  const outcomes: boolean[] = [];
  const work = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const result = await runCommand(check.command);
      console.log(describeResult(check.name, result));
      outcomes.push(result.ok);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const passed = outcomes.filter(Boolean).length;
  return { passed, failed: outcomes.length - passed, skipped: 0 };
}

export function formatTally({ passed, failed, skipped }: Tally): string {
  return `${String(passed)} passed, ${String(failed)} failed${skipped > 0 ? `, ${String(skipped)} skipped` : ''}`;
}

export function addTallies(a: Tally, b: Tally): Tally {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

if (import.meta.main) {
  const tally = await runChecks();
  console.log(formatTally(tally));
  if (tally.failed > 0) process.exitCode = 1;
}
