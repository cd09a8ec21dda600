import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { VERSION } from './version.ts';

const ROOT = new URL('../../../', import.meta.url);
const versionOf = (path: string): unknown =>
  (JSON.parse(readFileSync(new URL(path, ROOT), 'utf8')) as { readonly version?: unknown }).version;

describe('VERSION', () => {
  it('is that of package.json, of the whole and of every part', () => {
    const parts = readdirSync(new URL('packages/', ROOT)).map((name) => `packages/${name}/package.json`);
    expect(parts.length).toBeGreaterThan(5);
    for (const path of ['package.json', ...parts]) expect([path, versionOf(path)]).toEqual([path, VERSION]);
  });
});
