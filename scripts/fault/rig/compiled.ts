/**
 * C programs and libraries of this directory, built for one campaign: what Node cannot do to a process, or not to itself.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { temporaryDirectory } from './programs.ts';

/** Where other sources in C are that campaigns use. */
const BENCHMARKS = join(import.meta.dirname, '..', '..', 'bench');

/** The path of what `NAME.c` was built to. Throws where it does not compile; a campaign that calls this needs 'gcc'. */
export function buildProgram(cleanup: Cleanup, name: string): string {
  return build(cleanup, join(import.meta.dirname, `${name}.c`), name, []);
}

/** The path of the benchmark's program of this name. */
export function buildBenchmarkProgram(cleanup: Cleanup, name: string): string {
  return build(cleanup, join(BENCHMARKS, `${name}.c`), name, []);
}

/** The path of a library to be preloaded. */
export function buildLibrary(cleanup: Cleanup, name: string): string {
  return build(cleanup, join(import.meta.dirname, `${name}.c`), `${name}.so`, ['-shared', '-fPIC']);
}

function build(cleanup: Cleanup, source: string, file: string, flags: readonly string[]): string {
  const built = join(temporaryDirectory(cleanup), file);
  const { status, stderr } = spawnSync('gcc', [...flags, '-O2', '-Wall', '-o', built, source, '-ldl'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${source} cannot be built: ${stderr}`);
  return built;
}
