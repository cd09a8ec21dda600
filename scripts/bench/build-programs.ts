/**
 * Builds what a benchmark measures: programs of ours into one file of JavaScript each, as the daemons are built, and C
 * programs where there is a compiler.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DAEMON_NODE_FLAGS } from '@sentineld/runtime/lifecycle/node-flags';
import { rolldown } from 'rolldown';
import { REPOSITORY } from '../checks/finding.ts';
import type { Run } from './run.ts';

/** The words that start `scripts/bench/NAME.ts`, bundled. */
export async function bundleProgram(run: Run, name: string): Promise<readonly string[]> {
  return [...DAEMON_NODE_FLAGS, await bundleSource(run, join(import.meta.dirname, `${name}.ts`))];
}

/** One source file with everything that it imports as one file of JavaScript. */
export async function bundleSource(run: Run, source: string): Promise<string> {
  const name = basename(source, '.ts');
  const bundle = await rolldown({
    input: { [name]: source },
    platform: 'node',
    external: ['better-sqlite3'],
    resolve: { conditionNames: ['sentineld-source', 'node', 'import', 'default'] },
    logLevel: 'warn',
  });
  await bundle.write({ dir: run.directory, format: 'esm', entryFileNames: '[name].js', codeSplitting: false });
  await bundle.close();
  return join(run.directory, `${name}.js`);
}

/** Lets bundled programs find the SQLite driver of the store. */
export function linkSqliteDriver(run: Run): void {
  const modules = join(run.directory, 'node_modules');
  mkdirSync(modules);
  symlinkSync(realpathSync(join(REPOSITORY, 'packages/store/node_modules/better-sqlite3')), join(modules, 'better-sqlite3'));
}

/** The path of `scripts/bench/NAME.c`, built with these flags as well; null where there is no gcc. Throws where it does not compile. */
export function compileProgram(run: Run, name: string, flags: readonly string[] = []): string | null {
  const program = join(run.directory, name);
  const { status, error, stderr } = spawnSync('gcc', ['-O2', ...flags, '-o', program, join(import.meta.dirname, `${name}.c`)], {
    encoding: 'utf8',
  });
  if (error !== undefined && 'code' in error && error.code === 'ENOENT') return null;
  if (status !== 0) throw new Error(`gcc could not build ${name}.c: ${error?.message ?? stderr}`);
  return program;
}
