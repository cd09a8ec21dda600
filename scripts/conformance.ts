/**
 * `pnpm conformance SUITE`: holds the product against cases with answers that nobody here wrote. Where the test data
 * is missing it says so and fails: nothing is skipped in silence.
 */
import { readArguments, usageError, type ProgramSyntax } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { atomicsSuite } from './conformance/atomics/atomics-suite.ts';
import { absenceText, locateCorpora, missingFiles } from './conformance/corpora.ts';
import { cryptoSuite } from './conformance/crypto/crypto-suite.ts';
import { buildPrograms, PROGRAMS_DIRECTORY } from './conformance/programs.ts';
import { createReport } from './conformance/report.ts';
import { schemaSuite } from './conformance/schema/schema-suite.ts';
import { sigmaSuite } from './conformance/sigma/sigma-suite.ts';
import { sqlSuite } from './conformance/sql/sql-suite.ts';
import { isPassed, runSuite, type Suite } from './conformance/suite.ts';

const SUITES: readonly Suite[] = [sqlSuite, cryptoSuite, schemaSuite, sigmaSuite, atomicsSuite];

const HELP = `pnpm conformance SUITE: holds SentinelD against test data that nobody here wrote

Suites:
${SUITES.map(({ name, summary }) => `  ${name.padEnd(9)}${summary}`).join('\n')}
  all      every one of them

Options:
  --corpora DIR   the test data; else SENTINELD_CORPORA, else ../shared/corpora beside the checkout
  --json          a JSON line per case, with details
  --no-build      take build/programs as it is
  --help

The last lines are one per suite: {"suite":"sql","passed":181,"total":181}
Exit status: 0 everything passed, 1 something failed or was not run, 2 usage.
`;

const OPTIONS = {
  corpora: { value: 'DIR' },
  json: { value: null },
  'no-build': { value: null },
  help: { value: null, short: 'h' },
} as const;

const NAMES: readonly string[] = [...SUITES.map(({ name }) => name), 'all'];
const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = { program: 'pnpm conformance', options: OPTIONS, words: NAMES, mostWords: 1 };

async function main(): Promise<number> {
  const given = readArguments(SYNTAX, process.argv.slice(2));
  if (given.has('help')) {
    process.stdout.write(HELP);
    return 0;
  }
  const suites = chooseSuites(given.words[0]);
  const corpora = locateCorpora(given.text('corpora'));
  const report = createReport({ json: given.has('json'), stdout: process.stdout, stderr: process.stderr });
  let isBuilt = given.has('no-build');
  let passed = true;
  for (const suite of suites) {
    const missing = missingFiles(corpora, suite.needs);
    if (missing.length > 0) {
      process.stderr.write(absenceText(suite.name, corpora, missing));
      report.endSuite({ suite: suite.name, passed: 0, total: 0, absent: true });
      passed = false;
      continue;
    }
    if (suite.needsPrograms && !isBuilt) {
      await buildPrograms();
      isBuilt = true;
    }
    const summary = await runSuite(suite, { corpora, programs: PROGRAMS_DIRECTORY }, (result) => report.onCase(suite.name, result));
    report.endSuite(summary);
    passed &&= isPassed(summary);
  }
  report.end();
  return passed ? 0 : 1;
}

function chooseSuites(name: string | undefined): readonly Suite[] {
  if (name === undefined)
    throw usageError(
      'pnpm conformance needs the name of a suite',
      `it is one of ${NAMES.join(', ')}`,
      'write for instance: pnpm conformance all',
    );
  return name === 'all' ? SUITES : SUITES.filter((suite) => suite.name === name);
}

// Leaving by exit removes the temporary directories; children end with their input.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

try {
  process.exitCode = await main();
} catch (cause) {
  process.stderr.write(describeFailure('pnpm conformance', cause));
  process.exitCode = exitStatusOf(cause);
}
