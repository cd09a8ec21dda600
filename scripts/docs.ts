/**
 * `pnpm docs`: writes the pages of docs/ that are made from the sources. A test holds them against each other.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage } from './docs/configuration-page.ts';
import { operatorGuide } from './docs/operator-guide.ts';
import { schemaPage } from './docs/schema-page.ts';

/** File below docs/ -> what it should hold. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'schema.md': schemaPage,
  'configuration.md': configurationPage,
  'operator_guide.md': () => operatorGuide(readFileSync(pagePath('operator_guide.md'), 'utf8')),
};

export function pagePath(name: string): string {
  return join(import.meta.dirname, '..', 'docs', name);
}

if (import.meta.main) for (const [name, page] of Object.entries(PAGES)) writeFileSync(pagePath(name), page());
