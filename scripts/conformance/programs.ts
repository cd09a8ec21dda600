/**
 * The built programs. What builds them is loaded only where that is asked for: it takes longer than most suites.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../checks/finding.ts';

export const PROGRAMS_DIRECTORY = join(REPOSITORY, 'build/programs');

export async function buildPrograms(): Promise<void> {
  const { build } = await import('../build.ts');
  await build();
}

/** Path of a built program; throws where it was not built. */
export function programPath(directory: string, name: string): string {
  const path = join(directory, `${name}.js`);
  if (!existsSync(path)) throw new Error(`${path} is missing: build the programs first`);
  return path;
}
