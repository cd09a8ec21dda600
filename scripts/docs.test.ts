import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PAGES, pagePath } from './docs.ts';

describe('pages made from the sources', () => {
  it.each(Object.entries(PAGES))('%s is what the sources say; mend it with: pnpm docs', (name, page) => {
    expect(readFileSync(pagePath(name), 'utf8')).toBe(page());
  });
});
