/**
 * `pnpm fault NAME`: does damage to a whole SentinelD, again and again, and says what came of it. Each fault is one
 * file of scripts/fault/; docs/faults.md says what each one shows. What it makes it takes away, also when interrupted.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readArguments, readWholeNumber, usageError, type ProgramSyntax } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { build, PROGRAMS_DIRECTORY } from './build.ts';
import { FAULTS } from './fault/registry.ts';
import { runInPrivateWorld, type World } from './fault/rig/private-world.ts';
import { runFault, type Outcome } from './fault/run-fault.ts';
import type { Fault } from './fault/rig/campaign.ts';

const USAGE = `Usage: pnpm fault NAME... | all [--quick] [--seed N] [--rounds N] [--programs DIR | --no-build]

${FAULTS.map(({ name, summary, rounds, needs }) => `  ${name.padEnd(13)} ${summary} (${rounds} rounds${needs.length === 0 ? '' : `; needs ${needs.join(', ')}`})`).join('\n')}

Exit status: 0 nothing found, 1 something found, 2 usage, 3 not run because something that it needs is not here.
`;

const FOUND = 1;
const NOT_RUN = 3;
const MOST_SEED = 999_999_999;
const MOST_ROUNDS = 1_000_000;

const OPTIONS = {
  quick: { value: null },
  seed: { value: 'N' },
  rounds: { value: 'N' },
  programs: { value: 'DIR' },
  'no-build': { value: null },
  help: { value: null, short: 'h' },
} as const;

const NAMES: readonly string[] = [...FAULTS.map(({ name }) => name), 'all'];
const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = {
  program: 'pnpm fault',
  options: OPTIONS,
  words: NAMES,
  mostWords: NAMES.length,
};

function chosenFaults(names: readonly string[]): readonly Fault[] {
  if (names.length === 0)
    throw usageError(
      'pnpm fault needs the name of a fault',
      `it is one of ${NAMES.join(', ')}`,
      'write for instance: pnpm fault kill --quick',
    );
  return names.includes('all') ? FAULTS : names.flatMap((name) => FAULTS.filter((fault) => fault.name === name));
}

function readWork() {
  const given = readArguments(SYNTAX, process.argv.slice(2));
  if (given.has('help')) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  const programs = given.text('programs');
  if (programs !== undefined && given.has('no-build'))
    throw usageError('--programs and --no-build exclude each other', 'each says which programs are taken', 'give one of them');
  if (programs !== undefined && !existsSync(join(programs, 'procmond.js')))
    throw usageError(`--programs ${programs}: not taken`, 'there is no procmond.js in it', 'give what a build made: build/programs');
  const seed = readWholeNumber('--seed', given.text('seed') ?? String(Math.floor(Math.random() * 1_000_000)), 0, MOST_SEED);
  const rounds = given.text('rounds');
  return {
    faults: chosenFaults(given.words),
    quick: given.has('quick'),
    seed,
    rounds: rounds === undefined ? undefined : readWholeNumber('--rounds', rounds, 1, MOST_ROUNDS),
    programs,
    noBuild: given.has('no-build'),
  };
}

function readWorkOrEnd(): ReturnType<typeof readWork> {
  try {
    return readWork();
  } catch (cause) {
    process.stderr.write(describeFailure('pnpm fault', cause));
    process.exit(exitStatusOf(cause));
  }
}

/** Starts the faults of each kind of world in one of that kind; null where this is one, or there can be none. */
async function runElsewhere(directory: string): Promise<number | null> {
  const options = [...(quick ? ['--quick'] : []), ...(rounds === undefined ? [] : ['--rounds', String(rounds)])];
  const shared = [...options, '--seed', String(seed), '--programs', directory];
  const statuses: number[] = [];
  for (const world of ['own pids', 'host pids'] as const satisfies readonly World[]) {
    const names = faults.filter((fault) => (fault.world ?? 'own pids') === world).map(({ name }) => name);
    if (names.length === 0) continue;
    const status = await runInPrivateWorld(world, [...names, ...shared]);
    if (status === null) return null;
    statuses.push(status);
  }
  return statuses.includes(FOUND) ? FOUND : Math.max(...statuses);
}

const { faults, quick, seed, rounds, programs, noBuild } = readWorkOrEnd();
const directory = programs ?? (noBuild ? PROGRAMS_DIRECTORY : await build());
const elsewhere = await runElsewhere(directory);
if (elsewhere !== null) process.exit(elsewhere);
const outcomes: Outcome[] = [];
for (const fault of faults) {
  const outcome = await runFault(fault, { programs: directory, quick, seed, rounds });
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  outcomes.push(outcome);
}
const found = outcomes.some(({ findings }) => findings.length > 0);
const notRun = outcomes.some((outcome) => outcome.notRun !== undefined);
process.exit(found ? FOUND : notRun ? NOT_RUN : 0);
