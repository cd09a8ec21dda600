/**
 * What a conformance suite is: cases with an answer that nobody here wrote, each of which passes or says why not. How
 * one is run, and what its last line says, is the same for all of them.
 */
import { messageOf } from '@sentineld/model/error';

export type CaseResult = {
  /** Of the case within its suite. */
  readonly id: string;
  /** Why it failed, in a sentence; a case without one passed. */
  readonly problem?: string;
  /** Figures and words for --json. */
  readonly detail?: Readonly<Record<string, unknown>>;
};

export type SuiteContext = {
  /** Directory of the corpora; the files that the suite needs are there. */
  readonly corpora: string;
  /** Directory of the built programs. */
  readonly programs: string;
};

export type Suite = {
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
  /** Files below the corpora directory without which it cannot run. */
  readonly needs: readonly string[];
  readonly needsPrograms: boolean;
  readonly run: (context: SuiteContext) => AsyncIterable<CaseResult> | Iterable<CaseResult>;
};

/** The last line of a suite; its members stand in this order. */
export type Summary = { readonly suite: string; readonly passed: number; readonly total: number; readonly absent?: true };

/** Runs a suite to its end. What it throws is a case that failed: the environment is not as it has to be. */
export async function runSuite(suite: Suite, context: SuiteContext, onCase: (result: CaseResult) => void): Promise<Summary> {
  let passed = 0;
  let total = 0;
  const take = (result: CaseResult): void => {
    total += 1;
    if (result.problem === undefined) passed += 1;
    onCase(result);
  };
  try {
    for await (const result of suite.run(context)) take(result);
  } catch (thrown) {
    take({ id: suite.name, problem: `could not go on: ${messageOf(thrown)}` });
  }
  return { suite: suite.name, passed, total };
}

/** A suite that could not be run has not passed. */
export function isPassed({ passed, total }: Summary): boolean {
  return total > 0 && passed === total;
}

/** A case from a check that gives a problem or nothing. */
export function caseOf(id: string, problem: string | undefined, detail?: CaseResult['detail']): CaseResult {
  return { id, ...(problem === undefined ? {} : { problem }), ...(detail === undefined ? {} : { detail }) };
}
