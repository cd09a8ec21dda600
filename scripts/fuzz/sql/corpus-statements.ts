/**
 * Statements to change: the rules that the product ships, and those of the corpora where they are there.
 */
import { join } from 'node:path';
import { loadRules } from '@sentineld/detection/rules/load';
import { REPOSITORY } from '../../checks/finding.ts';
import { missingFiles, readCorpus } from '../../conformance/corpora.ts';

const FILES = ['sql/detection.json', 'sql/attacks.json', 'sql/attacks-published.json'];

/** Queries of the built-in rules. */
export function builtinQueries(): readonly string[] {
  const { rules } = loadRules({ builtinDirectory: join(REPOSITORY, 'packages/detection/rules'), directories: [] });
  return rules.map(({ sql }) => sql);
}

/** Queries and attacks of the corpora; none where they are absent. */
export function corpusStatements(corpora: string): readonly string[] {
  const present = FILES.filter((file) => missingFiles(corpora, [file]).length === 0);
  return present.flatMap((file) => (readCorpus(corpora, file) as readonly { readonly sql: string }[]).map(({ sql }) => sql));
}
