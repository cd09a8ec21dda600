/**
 * `pnpm fuzz sql`: statements from a grammar and from changed queries, as many as the time allows, and what of them was
 * wrong, shrunk to the smallest statement that shows it.
 */
import fc from 'fast-check';
import { messageOf } from '@sentineld/model/error';
import { openCorpusDatabase } from './corpus-database.ts';
import { builtinQueries, corpusStatements } from './corpus-statements.ts';
import type { FuzzDatabase } from './fuzz-database.ts';
import { STATEMENT } from './grammar.ts';
import { mutationsOf } from './mutations.ts';
import { openProductDatabase } from './product-database.ts';
import { emptyTally, tryStatement, type Tally, type Validate } from './try-statement.ts';

export type FuzzFinding = {
  readonly problem: string;
  /** Shrunk. */
  readonly sql: string;
  readonly database: string;
  /** With which the same batch comes first again. */
  readonly seed: number;
};

export type FuzzOptions = {
  readonly seed: number;
  readonly corpora: string;
  readonly validate: Validate;
  /** Asked before each batch of a thousand statements. */
  readonly isOver: (batches: number) => boolean;
  readonly onFinding: (finding: FuzzFinding) => void;
};

export type FuzzResult = { readonly tally: Tally; readonly findings: number; readonly corpus: 'present' | 'absent' };

type Source = { readonly database: FuzzDatabase; readonly statements: fc.Arbitrary<string> };

const BATCH = 1_000;
const MAX_FINDINGS = 20;

export function fuzzSql({ seed, corpora, validate, isOver, onFinding }: FuzzOptions): FuzzResult {
  using opened = openSources(corpora);
  const tally = emptyTally();
  const seen = new Set<string>();
  for (let batch = 0; !isOver(batch) && seen.size < MAX_FINDINGS; batch++) {
    const found = tryBatch(opened.sources, seed + batch, tally, validate);
    if (found === undefined || seen.has(found.problem)) continue;
    seen.add(found.problem);
    onFinding(found);
  }
  return { tally, findings: seen.size, corpus: opened.hasCorpus ? 'present' : 'absent' };
}

/** A thousand statements of one source; which one, the seed says. */
function tryBatch(sources: readonly Source[], seed: number, tally: Tally, validate: Validate): FuzzFinding | undefined {
  const source = sources[seed % sources.length];
  if (source === undefined) return undefined;
  const { database, statements } = source;
  const property = fc.property(statements, (sql) => {
    const problem = tryStatement(sql, database, tally, validate);
    if (problem !== undefined) throw new Error(problem);
  });
  const details = fc.check(property, { seed, numRuns: BATCH });
  if (!details.failed || details.counterexample === null) return undefined;
  return { problem: messageOf(details.errorInstance), sql: details.counterexample[0], database: database.name, seed };
}

type Sources = Disposable & { readonly sources: readonly Source[]; readonly hasCorpus: boolean };

function openSources(corpora: string): Sources {
  const product = openProductDatabase();
  const corpus = openCorpusDatabase(corpora);
  const builtin = builtinQueries();
  const grammar: Source = { database: product, statements: STATEMENT };
  const rules: Source = { database: product, statements: mutationsOf(builtin) };
  const changed: Source = corpus === undefined ? rules : { database: corpus, statements: mutationsOf(corpusStatements(corpora)) };
  const sources = [grammar, grammar, grammar, changed, grammar, grammar, grammar, rules];
  return {
    sources,
    hasCorpus: corpus !== undefined,
    [Symbol.dispose]: () => {
      product.close();
      corpus?.close();
    },
  };
}
