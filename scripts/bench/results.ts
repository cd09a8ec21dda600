/**
 * Figures that were measured, kept in the tree with what they were measured on: the documentation is made from them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { usageError } from '@sentineld/runtime/lifecycle/arguments';
import { isOk, type Figures, type Findings } from './report.ts';

const DIRECTORY = join(import.meta.dirname, 'results');

const figures: z.ZodType<Figures> = z.lazy(() => z.record(z.string(), z.union([z.number(), z.null(), z.array(z.number()), figures])));

const Result = z.object({
  bench: z.string(),
  ok: z.boolean(),
  measured: z.string(),
  machine: z.object({ cores: z.int(), memoryGiB: z.number(), kernel: z.string(), arch: z.string(), node: z.string() }),
  ratios: figures,
  figures,
});

export type Result = z.infer<typeof Result>;

/** Writes the figures of a whole run. Throws 'usage.invalid' for a quick one, whose figures say nothing. */
export function recordResult(bench: string, findings: Findings, quick: boolean): void {
  if (quick)
    throw usageError('--record does not go with --quick', 'a short form measures nothing that is worth keeping', 'leave one of them out');
  const machine = {
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release().replace(/[^0-9.].*$/, ''),
    arch: arch(),
    node: process.version,
  };
  const measured = new Date().toISOString().slice(0, 10);
  const { ratios, figures: found } = findings;
  const result: Result = { bench, ok: isOk(findings, quick), measured, machine, ratios, figures: found };
  writeFileSync(join(DIRECTORY, `${bench}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

/** What was recorded last. Throws where there is nothing or it is not what recordResult writes. */
export function readResult(bench: string): Result {
  return Result.parse(JSON.parse(readFileSync(join(DIRECTORY, `${bench}.json`), 'utf8')));
}

/** A figure by its path, 'large.steadyOverC'; null where it was not measured. Throws where there is none of the name. */
export function figureOf(from: Figures, path: string): number | null {
  let found: Figures[string] | undefined = from;
  for (const part of path.split('.')) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) break;
    found = (found as Figures)[part];
  }
  if (typeof found === 'number' || found === null) return found;
  throw new Error(`no figure ${path}`);
}
