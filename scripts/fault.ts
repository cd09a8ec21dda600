/**
 * `pnpm fault NAME`: does damage to a whole SentinelD, again and again, and says what came of it. Each fault is one
 * file of scripts/fault/; docs/faults.md says what each one shows. What it makes it takes away, also when interrupted.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '@sentineld/model/error';
import { build, PROGRAMS_DIRECTORY } from './build.ts';
import { FAULTS } from './fault/registry.ts';
import { enterPrivateWorld } from './fault/rig/private-world.ts';
import { runFault, type Outcome } from './fault/run-fault.ts';
import type { Fault } from './fault/rig/campaign.ts';

const USAGE = `Usage: pnpm fault NAME... | all [--quick] [--seed N] [--rounds N] [--programs DIR | --no-build]

${FAULTS.map(({ name, summary, rounds, needs }) => `  ${name.padEnd(13)} ${summary} (${rounds} rounds${needs.length === 0 ? '' : `; needs ${needs.join(', ')}`})`).join('\n')}

Exit status: 0 nothing found, 1 something found, 2 usage, 3 not run because something that it needs is not here.
`;

const FOUND = 1;
const USAGE_STATUS = 2;
const NOT_RUN = 3;

function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`"${text}" is not a whole number`);
  return Number(text);
}

function chosenFaults(names: readonly string[]): readonly Fault[] {
  if (names.length === 0) throw new Error('which fault?');
  if (names.includes('all')) return FAULTS;
  return names.map((name) => {
    const fault = FAULTS.find((one) => one.name === name);
    if (fault === undefined) throw new Error(`there is no fault "${name}"`);
    return fault;
  });
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        seed: { type: 'string' },
        rounds: { type: 'string' },
        programs: { type: 'string' },
        'no-build': { type: 'boolean', default: false },
      },
    });
    const seed = wholeNumber(values.seed) ?? Math.floor(Math.random() * 1_000_000);
    return { ...values, faults: chosenFaults(positionals), seed, rounds: wholeNumber(values.rounds) };
  } catch (cause) {
    process.stderr.write(`fault: ${messageOf(cause)}\n\n${USAGE}`);
    process.exit(USAGE_STATUS);
  }
}

const { faults, quick, seed, rounds, programs, 'no-build': noBuild } = readArguments();
await enterPrivateWorld();
const directory = programs ?? (noBuild ? PROGRAMS_DIRECTORY : await build());
const outcomes: Outcome[] = [];
for (const fault of faults) {
  const outcome = await runFault(fault, { programs: directory, quick, seed, rounds });
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  outcomes.push(outcome);
}
const found = outcomes.some(({ findings }) => findings.length > 0);
const notRun = outcomes.some((outcome) => outcome.notRun !== undefined);
process.exit(found ? FOUND : notRun ? NOT_RUN : 0);
