/**
 * One statement before both judges: what the validator says of its text, and what SQLite says that it touches.
 */
import { AUTHORIZED_FUNCTIONS } from '@sentineld/detection/sql/functions';
import { RULE_PARAMETERS, type SqlPolicy } from '@sentineld/detection/sql/policy';
import type { SqlVerdict } from '@sentineld/detection/sql/validate';
import type { FuzzDatabase, Prepared } from './fuzz-database.ts';
import { areHarmless, describeAccess, hiddenAccesses } from './judge.ts';

/** The validator, or one that a test has broken. */
export type Validate = (sql: string, policy: SqlPolicy) => SqlVerdict;

/** Counts of a run, for its last line. */
export type Tally = {
  statements: number;
  /** Those that SQLite prepares. */
  prepared: number;
  accepted: number;
  acceptedAndPrepared: number;
  /** Refused, though SQLite prepares them and touches nothing that is closed; by the refusal's code. */
  readonly harmlessRefused: Record<string, number>;
  /** SQLite prepares what the validator's parser cannot read. */
  readByRealOnly: number;
  /** SQLite finds an error of syntax in what the validator accepts. */
  readByParserOnly: number;
};

export function emptyTally(): Tally {
  return { statements: 0, prepared: 0, accepted: 0, acceptedAndPrepared: 0, harmlessRefused: {}, readByRealOnly: 0, readByParserOnly: 0 };
}

/** A sentence about what is wrong, or undefined. */
export function tryStatement(sql: string, database: FuzzDatabase, tally: Tally, validate: Validate): string | undefined {
  tally.statements += 1;
  const prepared = database.prepare(sql);
  if (prepared.error === undefined) tally.prepared += 1;
  let verdict: SqlVerdict;
  try {
    verdict = validate(sql, { schema: database.schema, parameters: RULE_PARAMETERS });
  } catch (thrown) {
    return `the validator throws: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`;
  }
  if (!verdict.ok) {
    countRefusal(verdict.refusal.code, prepared, database, tally);
    return undefined;
  }
  tally.accepted += 1;
  if (prepared.error === undefined) tally.acceptedAndPrepared += 1;
  else if (/syntax error|unrecognized token|incomplete input/.test(prepared.error)) tally.readByParserOnly += 1;
  // What SQLite asked about before it found an error counts all the same.
  const hidden = hiddenAccesses(verdict, prepared.accesses, database);
  return hidden.length === 0 ? undefined : `hidden: ${[...new Set(hidden.map(describeAccess))].join('; ')}`;
}

function countRefusal(code: string, { accesses, error }: Prepared, database: FuzzDatabase, tally: Tally): void {
  if (error !== undefined) return;
  if (code === 'parse') tally.readByRealOnly += 1;
  // Without an access it is no SELECT: BEGIN, or nothing at all.
  if (accesses.length === 0 || !areHarmless(accesses, database, AUTHORIZED_FUNCTIONS)) return;
  tally.harmlessRefused[code] = (tally.harmlessRefused[code] ?? 0) + 1;
}
