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

/** What a corpus file holds. Callers say what that is; where it is not, their checks fail. */
export function readCorpus(corpora: string, file: string): unknown {
  return JSON.parse(readFileSync(join(corpora, file), 'utf8'));
}
