/**
 * `pnpm fuzz sql`: holds what the validator lists of a statement against what SQLite's authorizer is asked about when the
 * same text is prepared without any restriction. What SQLite touches and the validator did not list is a finding.
 */
import { validateSql } from '@sentineld/detection/sql/validate';
import { displayHostText } from '@sentineld/model/host-text';
import { readArguments, readWholeNumber, usageError, type ProgramSyntax } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { locateCorpora } from './conformance/corpora.ts';
import { fuzzSql, type FuzzFinding } from './fuzz/sql/sql-fuzz.ts';

const HELP = `pnpm fuzz sql: tries the SQL validator against SQLite with generated statements

Options:
  --seconds N     how long, 60 unless given
  --seed N        where to begin; at random unless given
  --corpora DIR   the test data; else SENTINELD_CORPORA, else ../shared/corpora beside the checkout
  --json          findings as JSON lines
  --help

The last line is {"fuzz":"sql","seed":1,"statements":…,"prepared":…,"accepted":…,"hidden":0,…}
Exit status: 0 nothing found, 1 something found, 2 usage.
`;

const OPTIONS = {
  seconds: { value: 'N' },
  seed: { value: 'N' },
  corpora: { value: 'DIR' },
  json: { value: null },
  help: { value: null, short: 'h' },
} as const;

const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = { program: 'pnpm fuzz', options: OPTIONS, words: ['sql'], mostWords: 1 };
const MOST_SECONDS = 86_400;
const MOST_SEED = 999_999_999;

function main(): number {
  const given = readArguments(SYNTAX, process.argv.slice(2));
  if (given.has('help')) {
    process.stdout.write(HELP);
    return 0;
  }
  if (given.words.length === 0) throw usageError('pnpm fuzz needs the name of what to try', 'there is sql', 'write: pnpm fuzz sql');
  const seconds = readWholeNumber('--seconds', given.text('seconds') ?? '60', 1, MOST_SECONDS);
  const seed = readWholeNumber('--seed', given.text('seed') ?? String(Math.floor(Math.random() * 1_000_000)), 0, MOST_SEED);
  const end = performance.now() + seconds * 1_000;
  const { tally, findings, corpus } = fuzzSql({
    seed,
    corpora: locateCorpora(given.text('corpora')),
    validate: validateSql,
    isOver: () => performance.now() > end,
    onFinding: (finding) => process.stdout.write(given.has('json') ? `${JSON.stringify(finding)}\n` : describeFinding(finding)),
  });
  if (corpus === 'absent') process.stderr.write('pnpm fuzz: the corpora are absent, so their statements were not changed and tried\n');
  const { statements, prepared, accepted, ...rest } = tally;
  process.stdout.write(`${JSON.stringify({ fuzz: 'sql', seed, statements, prepared, accepted, hidden: findings, ...rest, corpus })}\n`);
  return findings === 0 ? 0 : 1;
}

function describeFinding({ problem, sql, database, seed }: FuzzFinding): string {
  return `FOUND (seed ${seed}, database ${database}): ${displayHostText(problem)}\n  ${displayHostText(sql)}\n`;
}

try {
  process.exitCode = main();
} catch (cause) {
  process.stderr.write(describeFailure('pnpm fuzz', cause));
  process.exitCode = exitStatusOf(cause);
}
