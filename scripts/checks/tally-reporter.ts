/**
 * A vitest reporter that writes how many tests passed, failed and were skipped, and why, to the file named in
 * TEST_TALLY_FILE. vitest's own JSON report gives no reasons, and no count for a file that did not load.
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export type SkippedTest = { readonly file: string; readonly name: string; readonly reason?: string };
export type TestTally = { readonly passed: number; readonly failed: number; readonly skipped: readonly SkippedTest[] };

function describeSkipped(test: TestCase): SkippedTest {
  const result = test.result();
  const reason = result.state === 'skipped' ? result.note : undefined;
  return { file: relative(process.cwd(), test.module.moduleId), name: test.fullName, ...(reason === undefined ? {} : { reason }) };
}

/** Errors outside a test: a file that does not load, a hook that throws. Each counts as one failure. */
function countOuterErrors(module: TestModule): number {
  return [module, ...module.children.allSuites()].filter((part) => part.errors().length > 0).length;
}

function tallyTests(modules: readonly TestModule[], otherErrors: number): TestTally {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const inState = (state: string): TestCase[] => tests.filter((test) => test.result().state === state);
  const outerErrors = modules.reduce((sum, module) => sum + countOuterErrors(module), otherErrors);
  return {
    passed: inState('passed').length,
    // A test without a result did not come to its end.
    failed: inState('failed').length + inState('pending').length + outerErrors,
    skipped: inState('skipped').map(describeSkipped),
  };
}

/**
 * vitest loads this by its path and makes reporters with `new`.
 * @public
 */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const { TEST_TALLY_FILE: file } = process.env;
    if (file !== undefined) writeFileSync(file, JSON.stringify(tallyTests(modules, unhandledErrors.length)));
  }
}
