/**
 * The questions of the benchmark `store`: asked of a day's store for their time, and of two stores for the same answer.
 */
import { askJson, startLineChild, type LineChild } from './line-child.ts';
import { lastingPid } from './process-workload.ts';
import type { Answer, Question } from './read-events.ts';
import type { Figures } from './report.ts';
import type { Run } from './run.ts';
import { rounded } from './statistics.ts';

type Size = { readonly processes: number; readonly scans: number; readonly dayScans: number };

export type Reads = {
  readonly reads: Figures;
  readonly historyMs: number;
  /** Of the scan in the middle and of one at the beginning: counted. */
  readonly middleMs: number;
  readonly oldMs: number;
};

const TIMES = 9;
/** A scan shortly after the beginning: nearly everything in the store is newer. */
const OLD_SCAN = 10;
const HISTORY = 'SELECT * FROM process_snapshots WHERE pid = ?';
const FULL = 'SELECT * FROM process_snapshots WHERE scan_id = ?';
const COUNT = 'SELECT count(*) FROM process_snapshots WHERE scan_id = ?';
/** One number from every column that both have. */
const DIGEST = `SELECT sum(1e6 + pid * 3 + ppid * 5 + start_time + coalesce(cpu_percent, 1) * 70 + memory_bytes
  + length(name || exe_path || command_line || status || exe_hash || hash_algorithm || user_name || user_id))
  FROM process_snapshots WHERE scan_id = ?`;

export async function measureReads(run: Run, program: readonly string[], file: string, form: Size): Promise<Reads> {
  const child = startLineChild(run, 'reads', process.execPath, [...program, file, 'events']);
  const times = run.quick ? 3 : TIMES;
  const read = async (name: string, sql: string, parameter: number, expected: number): Promise<Answer> => {
    const answer = await ask(child, { sql, parameters: [parameter], times });
    const found = sql === COUNT ? answer.total : answer.rows;
    if (found !== expected) throw new Error(`${name}: ${found} rows, not ${expected}`);
    if (!run.quick) run.progress(`read, ${name}: ${answer.wallMs.toFixed(1)} ms`);
    return answer;
  };
  const middle = Math.floor(form.dayScans / 2);
  const answers = {
    history: await read('history of a pid', HISTORY, lastingPid(form.processes), form.dayScans),
    newestCount: await read('newest scan, counted', COUNT, form.dayScans, form.processes),
    newestFull: await read('newest scan, all columns', FULL, form.dayScans, form.processes),
    middleCount: await read('middle scan, counted', COUNT, middle, form.processes),
    middleFull: await read('middle scan, all columns', FULL, middle, form.processes),
    oldCount: await read('old scan, counted', COUNT, OLD_SCAN, form.processes),
    oldFull: await read('old scan, all columns', FULL, OLD_SCAN, form.processes),
  };
  await child.stop();
  return {
    reads: Object.fromEntries(Object.entries(answers).map(([name, answer]) => [name, figuresOf(answer)])),
    historyMs: rounded(answers.history.wallMs),
    middleMs: rounded(answers.middleCount.wallMs),
    oldMs: rounded(answers.oldCount.wallMs),
  };
}

/** Whether both stores tell the same of the first, the middle and the last scan; throws where they do not. */
export async function compareStores(run: Run, program: readonly string[], ours: string, plain: string, form: Size): Promise<void> {
  const children = [ours, plain].map((file) => startLineChild(run, 'compare', process.execPath, [...program, file, 'raw']));
  for (const scan of [1, Math.ceil(form.scans / 2), form.scans]) {
    const [first, second] = await Promise.all(children.map((child) => ask(child, { sql: DIGEST, parameters: [scan], times: 1 })));
    if (first?.total !== second?.total) throw new Error(`scan ${scan}: the store tells ${first?.total}, the plain table ${second?.total}`);
  }
  for (const child of children) await child.stop();
}

async function ask(child: LineChild, question: Question): Promise<Answer> {
  return (await askJson(child, JSON.stringify(question))) as Answer;
}

function figuresOf(answer: Answer): Figures {
  const { wallMs, cpuMs, firstMs, readerMs, rows } = answer;
  return {
    rows,
    wallMs: rounded(wallMs),
    cpuMs: rounded(cpuMs),
    firstMs: rounded(firstMs),
    readerMs: readerMs === null ? null : rounded(readerMs),
  };
}
