/**
 * What a fault campaign is: rounds of one kind of damage done to a whole SentinelD, and what turned out to be wrong.
 * A finding has a stable word (`what`), so that what is known can be told from what is new.
 */
import type { Cleanup } from './cleanup.ts';
import type { World } from './private-world.ts';
import type { Programs } from './programs.ts';
import type { Random } from './random.ts';

export type Finding = { readonly what: string; readonly round: number; readonly detail: string; times: number };

/** What must be there for a fault to be staged at all. */
export type Need = 'root' | 'gcc' | 'shared programs';

export type Campaign = {
  readonly seed: number;
  readonly rounds: number;
  readonly quick: boolean;
  readonly random: Random;
  readonly cleanup: Cleanup;
  readonly programs: Programs;
  /** A line for whoever watches. */
  readonly say: (text: string) => void;
  /** Begins a round: findings name it. */
  readonly begin: (round: number) => void;
  /** Something is wrong. The same `what` again only counts. */
  readonly find: (what: string, detail: string) => void;
  /** Where `problem` is not null it is a finding. */
  readonly expect: (what: string, problem: string | null) => void;
  /** Adds to a figure of the report. */
  readonly count: (figure: string, by?: number) => void;
  /** Keeps the largest value of a figure. */
  readonly most: (figure: string, value: number) => void;
};

export type Fault = {
  readonly name: string;
  readonly summary: string;
  readonly rounds: number;
  readonly quickRounds: number;
  readonly needs: readonly Need[];
  /** As root; pids of its own unless given. */
  readonly world?: World;
  readonly run: (campaign: Campaign) => Promise<void>;
};

/** A fault is one file that exports what this returns, and one line in the registry. */
export function defineFault(fault: Fault): Fault {
  return fault;
}
