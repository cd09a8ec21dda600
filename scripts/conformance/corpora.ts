/**
 * Where the corpora are: test data that nobody here wrote, kept outside the repository because licences differ. They
 * are named by --corpora or SENTINELD_CORPORA, or lie beside the checkout.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { REPOSITORY } from '../checks/finding.ts';

export function locateCorpora(given: string | undefined, environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return resolve(given ?? environment['SENTINELD_CORPORA'] ?? join(REPOSITORY, '../shared/corpora'));
}

/** Those of the files that are not there. */
export function missingFiles(corpora: string, files: readonly string[]): readonly string[] {
  return files.filter((file) => !existsSync(join(corpora, file)));
}

/** What to print where a suite cannot run: what is missing, and how to give it. */
export function absenceText(suite: string, corpora: string, missing: readonly string[]): string {
  return [
    '!!!!',
    `!!!! NOT RUN: the suite "${suite}" has no test data.`,
    `!!!! ${corpora} lacks ${missing.join(', ')}`,
    '!!!! Give the directory of the corpora with --corpora DIR, or in SENTINELD_CORPORA.',
    '!!!!',
    '',
  ].join('\n');
}

/** A corpus file as its caller says it is; the checkers hold what they take from it against the product. */
export function readCorpus<Value>(corpora: string, file: string): Value {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  return JSON.parse(readFileSync(join(corpora, file), 'utf8')) as Value;
}
