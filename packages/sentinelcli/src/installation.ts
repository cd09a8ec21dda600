/**
 * Where the parts that belong to this program are: beside it in a built installation, in the packages they come
 * from where it runs from source.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export type ExecutorPrograms = {
  readonly spawner: string;
  readonly executor: string;
  /** Arguments of Node before the program. */
  readonly nodeArguments: readonly string[];
};

const HERE = import.meta.dirname;
const DETECTION = join(HERE, '..', '..', 'detection');

/** The folder of rules that is shipped, with their cases. */
export function builtinRulesDirectory(): string {
  const beside = join(HERE, 'rules');
  return existsSync(beside) ? beside : join(DETECTION, 'rules');
}

/** The programs that run SQL. */
export function executorPrograms(): ExecutorPrograms {
  const spawner = join(HERE, 'spawner.js');
  if (existsSync(spawner)) return { spawner, executor: join(HERE, 'executor.js'), nodeArguments: [] };
  const source = join(DETECTION, 'src', 'sql');
  return {
    spawner: join(source, 'spawner-main.ts'),
    executor: join(source, 'executor-main.ts'),
    nodeArguments: ['--conditions=sentineld-source'],
  };
}
