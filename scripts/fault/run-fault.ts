/**
 * Runs one fault: says what it does, collects what it finds, takes everything away again whatever happens.
 */
import { spawnSync } from 'node:child_process';
import { messageOf } from '@sentineld/model/error';
import { reachableBy } from '@sentineld/runtime/lifecycle/staging';
import type { Campaign, Fault, Finding, Need } from './rig/campaign.ts';
import { createCleanup, unwindOnSignals } from './rig/cleanup.ts';
import { freezePrograms } from './rig/programs.ts';
import { isPrivateWorld } from './rig/private-world.ts';
import { createRandom } from './rig/random.ts';

/** A user without an account. */
const NOBODY = 61_190;

export type RunOptions = {
  readonly programs: string;
  readonly quick: boolean;
  readonly seed: number;
  /** The fault's own number unless given. */
  readonly rounds: number | undefined;
};

export type Outcome = {
  readonly fault: string;
  readonly ok: boolean;
  readonly rounds: number;
  readonly seed: number;
  readonly findings: readonly Finding[];
  readonly figures: Readonly<Record<string, number>>;
  readonly ms: number;
  /** Why it was not run at all; then nothing is known and `ok` is false. */
  readonly notRun?: string;
};

export async function runFault(fault: Fault, options: RunOptions): Promise<Outcome> {
  const rounds = options.rounds ?? (options.quick ? fault.quickRounds : fault.rounds);
  const { seed } = options;
  const lacking = fault.needs.map(whyLacking).find((reason) => reason !== null) ?? null;
  if (lacking !== null) {
    process.stderr.write(`fault ${fault.name}: NOT RUN: ${lacking}\n`);
    return { fault: fault.name, ok: false, rounds: 0, seed, findings: [], figures: {}, ms: 0, notRun: lacking };
  }
  const startedMs = performance.now();
  const cleanup = createCleanup();
  unwindOnSignals(cleanup);
  const findings = new Map<string, Finding>();
  const figures: Record<string, number> = {};
  try {
    const programs = freezePrograms(options.programs, cleanup, { fewRules: options.quick });
    process.stdout.write(`fault ${fault.name}: ${fault.summary}; ${rounds} rounds, seed ${seed}, programs ${programs.fingerprint}\n`);
    await fault.run(createCampaign({ seed, rounds, quick: options.quick, cleanup, programs }, findings, figures));
  } catch (cause) {
    record(findings, 0, 'campaign-broke', cause instanceof Error ? (cause.stack ?? messageOf(cause)) : String(cause));
  } finally {
    await cleanup.unwind();
  }
  const ms = Math.round(performance.now() - startedMs);
  return { fault: fault.name, ok: findings.size === 0, rounds, seed, findings: [...findings.values()], figures, ms };
}

type Given = Pick<Campaign, 'seed' | 'rounds' | 'quick' | 'cleanup' | 'programs'>;

function createCampaign(given: Given, findings: Map<string, Finding>, figures: Record<string, number>): Campaign {
  let round = 0;
  const find = (what: string, detail: string): void => record(findings, round, what, detail);
  return {
    ...given,
    random: createRandom(given.seed),
    say: (text) => process.stdout.write(`  ${text}\n`),
    begin: (number) => {
      round = number;
    },
    find,
    expect: (what, problem) => {
      if (problem !== null) find(what, problem);
    },
    count: (figure, by = 1) => {
      figures[figure] = (figures[figure] ?? 0) + by;
    },
    most: (figure, value) => {
      figures[figure] = Math.max(figures[figure] ?? value, value);
    },
  };
}

function record(findings: Map<string, Finding>, round: number, what: string, detail: string): void {
  const known = findings.get(what);
  if (known !== undefined) {
    known.times += 1;
    return;
  }
  process.stdout.write(`  FOUND ${what} (round ${round}): ${detail}\n`);
  findings.set(what, { what, round, detail, times: 1 });
}

function whyLacking(need: Need): string | null {
  const isRoot = process.getuid?.() === 0;
  switch (need) {
    case 'root':
      return isRoot && isPrivateWorld() ? null : 'it needs root, unshare(1) and setpriv(1)';
    case 'gcc':
      return spawnSync('gcc', ['--version']).status === 0 ? null : 'it needs gcc';
    case 'shared programs':
      return !isRoot || reachableBy(process.execPath, NOBODY, [])
        ? null
        : `it needs a Node that other users can run, and ${process.execPath} is closed to them`;
  }
}
