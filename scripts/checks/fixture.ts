/**
 * A small workspace in a temporary directory for the checks' own tests: the packages of zones.ts with wildcard
 * exports, linked into node_modules, and stand-ins for the npm packages that the rules speak of.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ZONE_BY_PACKAGE } from './zones.ts';

export type Fixture = { readonly root: string; readonly [Symbol.dispose]: () => void };

const NPM_PACKAGES: Readonly<Record<string, string>> = {
  'better-sqlite3': "require('fs'); module.exports = {};",
  pino: "require('worker_threads'); module.exports = {};",
  loud: "require('node:https'); module.exports = {};",
  threaded: "require('worker_threads'); module.exports = {};",
  vitest: 'module.exports = {};',
};

/** Writes `files` (path from the root to text) over the empty workspace. */
export function createFixture(files: Readonly<Record<string, string>>): Fixture {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'sentineld-check-'));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const manifest = (name: string, more: object): string => JSON.stringify({ name, version: '1.0.0', license: 'MIT', ...more });
  mkdirSync(join(root, 'node_modules/@sentineld'), { recursive: true });
  for (const name of Object.keys(ZONE_BY_PACKAGE)) {
    const exports = { './*': { 'sentineld-source': './src/*.ts', default: './dist/*.js' } };
    write(`packages/${name}/package.json`, manifest(`@sentineld/${name}`, { type: 'module', exports }));
    symlinkSync(join('../../packages', name), join(root, 'node_modules/@sentineld', name));
  }
  for (const [name, text] of Object.entries(NPM_PACKAGES)) {
    write(`node_modules/${name}/package.json`, manifest(name, { main: 'index.js' }));
    write(`node_modules/${name}/index.js`, text);
  }
  for (const [path, text] of Object.entries(files)) write(path, text);
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
