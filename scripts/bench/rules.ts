/**
 * `bench rules`: what the rules cost beside 10,000 processes: the built-in ones and published Sigma rules, each over the
 * events and processes of one scan after the other, and once over ten thousand events; beside SQLite's own command line.
 * What the daemons hold and how soon they report is in rules-live.ts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadRules } from '@sentineld/detection/rules/load';
import { convertSigmaRule } from '@sentineld/detection/sigma/convert';
import { LINUX_PROCESS_CREATION } from '@sentineld/detection/sigma/target';
import { startExecutor, type ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { ResultRow } from '@sentineld/model/rule';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { build, PROGRAMS_DIRECTORY } from '../build.ts';
import { REPOSITORY } from '../checks/finding.ts';
import { locateCorpora } from '../conformance/corpora.ts';
import { bundleProgram, linkSqliteDriver } from './build-programs.ts';
import { askMeasured, startLineChild } from './line-child.ts';
import { descendantsOf, processCpuMs, programOf } from './process-memory.ts';
import { atMost, type Findings } from './report.ts';
import { measureLive, type Live } from './rules-live.ts';
import { loadFigures, type Run } from './run.ts';
import { median, rounded } from './statistics.ts';

type Form = {
  readonly processes: number;
  readonly scansBefore: number;
  readonly rounds: number;
  readonly passes: number;
  readonly passEvents: number;
  /** Of so many rules one is taken. */
  readonly oneRuleOf: number;
};

const FULL: Form = { processes: 10_000, scansBefore: 30, rounds: 30, passes: 3, passEvents: 10_000, oneRuleOf: 1 };
const QUICK: Form = { processes: 200, scansBefore: 3, rounds: 3, passes: 1, passEvents: 20, oneRuleOf: 8 };
const SQLITE = '/usr/bin/sqlite3';
const MAX_ROWS = 1_000;

type TimedRule = { readonly id: string; readonly sql: string };
type Place = { readonly scan: number; readonly now: number; readonly seq: number };
/** Wall-clock ms of each rule, and CPU ms of the executors for all of them. */
type Pass = { readonly ms: ReadonlyMap<string, number>; readonly cpuMs: number };

export async function benchRules(run: Run): Promise<Findings> {
  const form = run.quick ? QUICK : FULL;
  linkSqliteDriver(run);
  const missing: string[] = [];
  const rules = rulesToTime(missing).filter((_, at) => at % form.oneRuleOf === 0);
  const file = join(run.directory, 'events.db');
  const writer = startLineChild(run, 'writer', process.execPath, [
    ...(await bundleProgram(run, 'write-events')),
    file,
    String(form.processes),
  ]);
  await askMeasured(writer, String(form.scansBefore));
  const executor = startBenchExecutor(run, file);
  const steady: Pass[] = [];
  let before = await placeOf(executor);
  for (let round = 0; round <= form.rounds; round++) {
    await askMeasured(writer, '1');
    const now = await placeOf(executor);
    const pass = await timeRules(executor, rules, before, now);
    before = now;
    // The first one validates every statement.
    if (round > 0) steady.push(pass);
    run.progress(`scan ${round} of ${form.rounds}: ${pass.cpuMs} ms of CPU, ${slowest(pass)}`);
  }
  const whole: Pass[] = [];
  const start = { ...before, scan: 0, now: 0, seq: Math.max(0, before.seq - form.passEvents) };
  for (let pass = 1; pass <= form.passes; pass++) {
    whole.push(await timeRules(executor, rules, start, before));
    run.progress(`everything, pass ${pass} of ${form.passes}: ${slowest(whole.at(-1))}`);
  }
  const overhead = existsSync(SQLITE) ? await overheadOf(run, form, executor, file, rules, start, before) : null;
  if (overhead === null) missing.push('sqlite3');
  await executor.close();
  await writer.stop();
  return withLive(findingsOf(form, rules, { steady, whole, overhead, missing }), await measureLive(run, await programsOf(run)));
}

/** The short form takes what is built already: others may be starting it. */
async function programsOf({ quick }: Run): Promise<string> {
  return quick && existsSync(PROGRAMS_DIRECTORY) ? PROGRAMS_DIRECTORY : build();
}

function withLive({ ratios, figures, targets, missing }: Findings, live: Live): Findings {
  return {
    ratios,
    figures: { ...figures, live: live.figures },
    targets: [...targets, ...live.targets],
    missing: [...missing, ...live.missing],
  };
}

/** Those that ship, and the published ones where the corpus is there. */
function rulesToTime(missing: string[]): readonly TimedRule[] {
  const builtin = loadRules({ builtinDirectory: join(REPOSITORY, 'packages/detection/rules'), directories: [] }).rules;
  const directory = join(locateCorpora(undefined), 'sigma/rules');
  const files = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith('.yml')) : [];
  if (files.length === 0) missing.push('sigma');
  const sigma = files.toSorted().flatMap((name) => {
    const converted = convertSigmaRule({ path: name, text: readFileSync(join(directory, name), 'utf8') }, LINUX_PROCESS_CREATION);
    return converted.ok ? [{ id: converted.id, sql: converted.sql }] : [];
  });
  return [...builtin.filter(({ enabled }) => enabled).map(({ id, sql }) => ({ id, sql })), ...sigma];
}

function startBenchExecutor(run: Run, file: string): ExecutorClient {
  const source = join(REPOSITORY, 'packages/detection/src/sql');
  const executor = startExecutor({
    programs: { spawner: join(source, 'spawner-main.ts'), executor: join(source, 'executor-main.ts') },
    nodeArguments: ['--conditions=sentineld-source'],
    databases: [{ schema: 'main', path: file }],
    schema: EVENTS_SCHEMA,
    limits: { maxRows: MAX_ROWS },
  });
  run.scope.defer(() => executor.close());
  return executor;
}

async function placeOf(executor: ExecutorClient): Promise<Place> {
  const sql = `SELECT (SELECT max(id) FROM scan_metadata) AS scan, (SELECT max(start_time) FROM scan_metadata) AS now,
    (SELECT seq FROM process_events ORDER BY seq DESC LIMIT 1) AS seq`;
  const outcome = await executor.run({ sql, allowedParameters: [] });
  if (outcome.outcome !== 'ok') throw new Error(`the store cannot be read: ${outcome.outcome}`);
  const row: ResultRow = outcome.rows[0] ?? {};
  return { scan: Number(row['scan']), now: Number(row['now']), seq: Number(row['seq'] ?? 0) };
}

/** Each rule as the agent runs it: one after the other, with the processes of what it finds. */
async function timeRules(executor: ExecutorClient, rules: readonly TimedRule[], before: Place, now: Place): Promise<Pass> {
  const parameters = { now: now.now, since: before.now, scan_id: now.scan, since_seq: before.seq };
  const ms = new Map<string, number>();
  const cpuBefore = childrenCpuMs();
  for (const { id, sql } of rules) {
    const outcome = await executor.run({ sql, parameters, enrich: true });
    if (outcome.outcome !== 'ok')
      throw new Error(`${id}: ${outcome.outcome}: ${'message' in outcome ? outcome.message : outcome.refusal.message}`);
    ms.set(id, outcome.durationMs);
  }
  return { ms, cpuMs: childrenCpuMs() - cpuBefore };
}

/** CPU time of the spawner and its executors. */
function childrenCpuMs(): number {
  const family = descendantsOf(process.pid).filter((pid) => /^(spawner|executor)-main/.test(programOf(pid)));
  return family.reduce((sum, pid) => sum + processCpuMs(pid), 0);
}

/** Whoever waits sees what takes long. */
function slowest(pass: Pass | undefined): string {
  const ordered = [...(pass?.ms ?? [])].toSorted(([, a], [, b]) => b - a);
  const total = ordered.reduce((sum, [, ms]) => sum + ms, 0);
  const names = ordered.slice(0, 3).map(([id, ms]) => `${id} ${ms.toFixed(0)}`);
  return `${total.toFixed(0)} ms, the slowest ${names.join(', ')}`;
}

type Overhead = { readonly cpuMs: number; readonly sqliteCpuMs: number; readonly rules: number };

/** The same statements in SQLite's own command line, from a process that is warm: its start is not counted. */
async function overheadOf(
  run: Run,
  form: Form,
  executor: ExecutorClient,
  file: string,
  rules: readonly TimedRule[],
  start: Place,
  now: Place,
): Promise<Overhead> {
  // What only the executor has is left out on both sides.
  const plain = rules.filter(({ sql }) => !/\bREGEXP\b/i.test(sql));
  const values = { now: now.now, since: start.now, scan_id: now.scan, since_seq: start.seq };
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let pass = 0; pass < form.passes; pass++) {
    ours.push((await timeRules(executor, plain, start, now)).cpuMs);
    theirs.push(sqliteCpuMs(file, plain, values, true) - sqliteCpuMs(file, plain, values, false));
  }
  run.progress(`beside sqlite3: ${median(ours)} and ${median(theirs)} ms for ${plain.length} rules`);
  return { cpuMs: median(ours), sqliteCpuMs: median(theirs), rules: plain.length };
}

function sqliteCpuMs(file: string, rules: readonly TimedRule[], values: Readonly<Record<string, number>>, withRules: boolean): number {
  const set = Object.entries(values).map(([name, value]) => `.parameter set :${name} ${value}`);
  const input = [...set, ...(withRules ? rules.map(({ sql }) => `${sql.trim().replace(/;$/, '')};`) : [])].join('\n');
  const timed = spawnSync(
    '/usr/bin/env',
    ['bash', '-c', 'TIMEFORMAT="%3U %3S"; time "$0" -readonly -bail "$1" > /dev/null', SQLITE, file],
    {
      input,
      encoding: 'utf8',
      maxBuffer: 1e8,
    },
  );
  if (timed.status !== 0) throw new Error(`sqlite3 does not run a rule: ${timed.stderr.slice(0, 300)}`);
  return timed.stderr
    .trim()
    .split(/\s+/)
    .reduce((sum, seconds) => sum + Number(seconds) * 1000, 0);
}

type Taken = {
  readonly steady: readonly Pass[];
  readonly whole: readonly Pass[];
  readonly overhead: Overhead | null;
  readonly missing: readonly string[];
};

function findingsOf(form: Form, rules: readonly TimedRule[], { steady, whole, overhead, missing }: Taken): Findings {
  const byRule = rules.map(({ id }) => steady.map(({ ms }) => ms.get(id) ?? 0));
  const medians = byRule.map((values) => median(values));
  const tails = byRule.map((values) => percentile(values, 0.99));
  const scanCpuMs = rounded(median(steady.map(({ cpuMs }) => cpuMs)));
  const wholeMs = rounded(median(whole.map(({ ms }) => [...ms.values()].reduce((sum, one) => sum + one, 0))));
  const [worstMedian, worstTail] = [rounded(Math.max(...medians)), rounded(Math.max(...tails))];
  const overSqlite = overhead === null ? null : rounded(overhead.cpuMs / overhead.sqliteCpuMs);
  return {
    ratios: { overSqlite },
    figures: {
      loadAverage: loadFigures(),
      processes: form.processes,
      rules: rules.length,
      scans: steady.length,
      steady: { medianMs: rounded(median(medians)), worstMedianMs: worstMedian, worstP99Ms: worstTail, cpuMsPerScan: scanCpuMs },
      wholePass: { events: form.passEvents, ms: wholeMs },
      besideSqlite:
        overhead === null ? null : { rules: overhead.rules, cpuMs: rounded(overhead.cpuMs), sqliteCpuMs: rounded(overhead.sqliteCpuMs) },
    },
    targets: [
      atMost('median of the slowest rule', worstMedian, 10, 'ms'),
      atMost('p99 of the slowest rule', worstTail, 50, 'ms'),
      atMost('all rules, CPU per scan', scanCpuMs, 500, 'ms'),
      atMost('all rules over everything', wholeMs, 3_000, 'ms'),
      atMost('executor over sqlite3', overSqlite, 1.2),
    ],
    missing,
  };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
