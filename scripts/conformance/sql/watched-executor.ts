/**
 * The real executor with the corpus's database behind it, and what it costs: wall-clock time, memory as the kernel
 * counts it, files. It works in an empty directory, which also stands where temporary files would go.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { RuleOutcome } from '@sentineld/model/rule';
import { startExecutor, type ExecutorClient, type RunRequest } from '@sentineld/detection/sql/executor-client';
import { programPath } from '../programs.ts';
import type { CorpusDatabase } from './corpus-database.ts';
import { MAX_GROWTH_BYTES, type Observation } from './judge-attack.ts';

/** Below the limit of wall-clock time by what ending an executor may take. */
const DEADLINE_MS = 1_500;
const SAMPLE_MS = 2;
const ORDINARY_SQL = 'SELECT count(*) AS n FROM processes';

export type WatchedExecutor = {
  readonly validate: ExecutorClient['validate'];
  readonly run: ExecutorClient['run'];
  /** Runs a statement that may do anything. */
  readonly observe: (request: RunRequest) => Promise<Observation>;
  readonly close: () => Promise<void>;
};

export type WatchedOptions = {
  readonly programs: string;
  readonly database: CorpusDatabase;
  /** Empty, and the working directory of the executor. */
  readonly scratch: string;
  /** Of the database. */
  readonly home: string;
};

/** Throws where the executor is not confined, or does not work where it should: the observations would mean nothing. */
export async function startWatchedExecutor({ programs, database, scratch, home }: WatchedOptions): Promise<WatchedExecutor> {
  const paths = { spawner: programPath(programs, 'spawner'), executor: programPath(programs, 'executor') };
  let pid = 0;
  let unconfined: string | undefined;
  const client = inDirectory(scratch, () =>
    startExecutor({
      programs: paths,
      databases: [{ schema: 'main', path: database.path }],
      schema: database.schema,
      allowedParameters: 'any',
      limits: { deadlineMs: DEADLINE_MS, memoryBytes: MAX_GROWTH_BYTES },
      onEvent: (event) => {
        if (event.kind !== 'executor_ready') return;
        pid = event.ready.pid;
        if (!event.ready.confined) unconfined = event.ready.detail.join('; ');
      },
    }),
  );
  const requireConfined = (): void => {
    if (unconfined !== undefined) throw new Error(`the executor is not confined: ${unconfined}`);
    const directory = readlinkSync(`/proc/${pid}/cwd`);
    if (directory !== scratch) throw new Error(`the executor works in ${directory}, not in ${scratch}`);
  };
  const answersOrdinarily = async (): Promise<boolean> => (await client.run({ sql: ORDINARY_SQL })).outcome === 'ok';
  try {
    await client.ready;
    requireConfined();
    if (!(await answersOrdinarily())) throw new Error(`the executor does not answer ${ORDINARY_SQL}`);
  } catch (thrown) {
    await client.close();
    throw thrown;
  }
  return {
    validate: client.validate,
    run: client.run,
    close: client.close,
    observe: async (request) => {
      const before = new Set([...readdirSync(scratch), ...readdirSync(home)]);
      const measured = await measure(pid, () => client.run(request));
      const newFiles = [...readdirSync(scratch), ...readdirSync(home)].filter((file) => !before.has(file));
      const wentOn = await answersOrdinarily();
      if (wentOn) requireConfined();
      return { ...measured, newFiles, wentOn };
    },
  };
}

/** Runs `work` and samples the memory of a process meanwhile. */
async function measure(pid: number, work: () => Promise<RuleOutcome>): Promise<Pick<Observation, 'outcome' | 'wallMs' | 'grownBytes'>> {
  const baseline = ownBytes(pid);
  let peak = baseline;
  const look = (): void => void (peak = Math.max(peak, ownBytes(pid)));
  const sampling = setInterval(look, SAMPLE_MS);
  const startedAt = performance.now();
  try {
    const outcome = await work();
    look();
    return { outcome, wallMs: performance.now() - startedAt, grownBytes: peak - baseline };
  } finally {
    clearInterval(sampling);
  }
}

/** Memory that is the process's own and not the program's file; 0 where it is gone. */
function ownBytes(pid: number): number {
  try {
    return 1024 * Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Programs that are started within it inherit the directory, and TMPDIR where their parent passes it on. */
function inDirectory<Result>(directory: string, start: () => Result): Result {
  const { TMPDIR: temporary } = process.env;
  const working = process.cwd();
  process.chdir(directory);
  process.env['TMPDIR'] = directory;
  try {
    return start();
  } finally {
    process.chdir(working);
    if (temporary === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = temporary;
  }
}
