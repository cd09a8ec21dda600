/**
 * The part of `bench rules` that needs the daemons themselves: what agent and executors hold once all rules ran, how soon
 * an exec is an alert, and how long the other rules take beside some that never end.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { AgentReplySchema, ProcmondReplySchema } from '@sentineld/model/reply';
import { askOnce } from '@sentineld/runtime/ipc/client';
import { z } from 'zod';
import { lastLines, type Child } from '../start/children.ts';
import { makeSite, startDaemon, startProcmond, whenReady, type Site } from './daemons.ts';
import { descendantsOf, memoryOf, programOf } from './process-memory.ts';
import { atMost, type Figures, type Target } from './report.ts';
import type { Run } from './run.ts';
import { median, rounded } from './statistics.ts';

type Form = { readonly intervalMs: number; readonly cycles: number; readonly execs: number; readonly endless: number };

/** The interval of `pnpm start`. */
const FULL: Form = { intervalMs: 2_000, cycles: 10, execs: 20, endless: 20 };
const QUICK: Form = { intervalMs: 500, cycles: 1, execs: 2, endless: 1 };
const PATIENCE_MS = 120_000;
/** Of the programs that are to be reported: long enough to be seen whole. */
const LIFE = '0.05';
const REPORTER = 'reported-at-once';

/** One SELECT within every bound of the language, and never done. */
const ENDLESS =
  'SELECT count(*) AS pid, 1 AS start_time FROM process_snapshots a JOIN process_snapshots b ON a.name <> b.name JOIN process_snapshots c ON b.name <> c.name JOIN process_snapshots d ON c.name <> d.name JOIN process_snapshots e ON d.name <> e.name JOIN process_snapshots f ON e.name <> f.name';

export type Live = { readonly figures: Figures; readonly targets: readonly Target[]; readonly missing: readonly string[] };

/** One cycle, as the agent's log has it. */
const LoggedCycle = z.object({ msg: z.literal('cycle.completed'), rules: z.int(), apart: z.int(), durationMs: z.number() });
type LoggedCycle = z.infer<typeof LoggedCycle>;

/** `programs` is what a build made. */
export async function measureLive(run: Run, programs: string): Promise<Live> {
  const form = run.quick ? QUICK : FULL;
  const ordinary = measureOrdinary(run, form, programs);
  // What is short is not held against anything, and may be measured at the same time.
  if (!run.quick) await ordinary;
  const [{ agentRss, executorPss, latencies, cycles }, beside] = await Promise.all([ordinary, measureBesideEndless(run, form, programs)]);
  const [latencyMedian, latencyWorst] = latencies === null ? [null, null] : [rounded(median(latencies)), Math.max(...latencies)];
  return {
    figures: {
      intervalMs: form.intervalMs,
      cycles: cycles.length,
      cycleMs: rounded(median(cycles)),
      agentRssMiB: agentRss,
      executorPssMiB: executorPss,
      execToAlert: { execs: latencies?.length ?? null, medianMs: latencyMedian, worstMs: latencyWorst },
      besideEndless: beside.figures,
    },
    targets: [
      atMost('agent, resident set', agentRss, 110, 'MiB'),
      atMost('largest executor, PSS', Math.max(...executorPss), 40, 'MiB'),
      atMost('exec to alert, worst', latencyWorst, 1_000, 'ms'),
      atMost('cycle that finds out which rules never end', beside.findingOutMs, 40_000, 'ms'),
      atMost('cycle beside rules that never end, worst', beside.worstMs, 2_000, 'ms'),
    ],
    missing: latencies === null ? ['alerts of execs: they need process events, and these root'] : [],
  };
}

type Daemons = { readonly site: Site; readonly agent: Child };

/** Both daemons with these rules beside the built-in ones, once all of them were looked at. */
async function startDaemons(run: Run, programs: string, intervalMs: number, rules: string): Promise<Daemons> {
  const site = makeSite(run, [`collection.interval=${intervalMs}ms`, 'alerting.stdout.enabled=false', `detection.rules_dirs=[${rules}]`]);
  await startProcmond(run, site, programs);
  const agent = startDaemon(run, site, programs, 'sentinelagent');
  await whenReady(agent, site.paths, async () => {
    const { rules } = AgentReplySchema.parse(await askOnce(site.paths.agentSocket, { request: 'health' }));
    return (rules['unverified'] ?? 0) === 0 && (rules['active'] ?? 0) > 0;
  });
  return { site, agent };
}

/** Where daemons that give up root can read. */
function rulesDirectory(run: Run): string {
  const directory = mkdtempSync(join(tmpdir(), 'sentineld-bench-'));
  chmodSync(directory, 0o755);
  run.scope.defer(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function writeRule(directory: string, id: string, more: string, sql: string): void {
  const head = `id: ${id}\nname: Rule ${id}\ndescription: Made to be measured.\nseverity: high\ncategory: test\nversion: 1\n`;
  writeFileSync(join(directory, `${id}.yaml`), `${head}${more}query: |\n  ${sql}\n`);
}

/** The agent's cycles so far, the first one first. */
function cyclesOf({ agent }: Daemons): readonly LoggedCycle[] {
  const lines = readFileSync(agent.logFile, 'utf8').split('\n');
  return lines.filter((line) => line.includes('"cycle.completed"')).map((line) => LoggedCycle.parse(JSON.parse(line)));
}

async function waitForCycles(daemons: Daemons, count: number): Promise<readonly LoggedCycle[]> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let cycles = cyclesOf(daemons); ; cycles = cyclesOf(daemons)) {
    if (cycles.length >= count) return cycles;
    if (daemons.agent.hasEnded() || performance.now() > deadline)
      throw new Error(`there are ${cycles.length} cycles of ${count}:\n${lastLines(daemons.agent.logFile, 5)}`);
    await sleep(50);
  }
}

type Ordinary = {
  readonly cycles: readonly number[];
  readonly agentRss: number;
  readonly executorPss: readonly number[];
  /** Milliseconds from each exec to its alert; null where nobody may hear of process events. */
  readonly latencies: readonly number[] | null;
};

/** All rules that ship, and one that reports a program as soon as it is executed. */
async function measureOrdinary(run: Run, form: Form, programs: string): Promise<Ordinary> {
  const rules = rulesDirectory(run);
  const program = join(rules, 'reported');
  copyFileSync('/bin/sleep', program);
  const columns = 'seq, timestamp_ms, pid, name, exe_path, cmdline, command_line, user_id, ppid, parent_name, parent_exe';
  const wanted = `WHERE seq > :since_seq AND event = 'exec' AND exe_path = '${program}'`;
  writeRule(rules, REPORTER, 'schedule: events\ndedup: [seq]\n', `SELECT ${columns} FROM process_events ${wanted}`);
  const daemons = await startDaemons(run, programs, form.intervalMs, rules);
  const cycles = await waitForCycles(daemons, form.cycles);
  const { rssMiB, executors } = memoryNow(daemons.agent);
  run.progress(`agent ${rssMiB} MiB, executors ${executors.join(', ')} MiB after ${cycles.length} cycles`);
  const { lastScan } = ProcmondReplySchema.parse(await askOnce(daemons.site.paths.procmondSocket, { request: 'health' }));
  const hasEvents = lastScan !== null && lastScan.events.tier !== 'off';
  const latencies = hasEvents ? await latenciesOf(form, daemons, program) : null;
  if (latencies !== null) run.progress(`from exec to alert: ${latencies.join(', ')} ms`);
  await daemons.site.stop();
  return { cycles: cycles.map(({ durationMs }) => durationMs), agentRss: rssMiB, executorPss: executors, latencies };
}

function memoryNow(agent: Child): { readonly rssMiB: number; readonly executors: readonly number[] } {
  const executors = descendantsOf(agent.pid).filter((pid) => programOf(pid) === 'executor.js');
  if (executors.length === 0) throw new Error('the agent has no executor');
  return {
    rssMiB: rounded(memoryOf(agent.pid)?.rssMiB ?? 0),
    executors: executors.map((pid) => rounded(memoryOf(pid)?.pssMiB ?? 0)),
  };
}

/** Runs the program again and again, at all moments between two scans. */
async function latenciesOf(form: Form, { site }: Daemons, program: string): Promise<readonly number[]> {
  for (let exec = 0; exec < form.execs; exec++) {
    // Steps that do not divide the interval: each exec is at another distance from the scans.
    await sleep(form.intervalMs * 0.37);
    spawnSync(program, [LIFE]);
  }
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const latencies = latenciesIn(site);
    if (latencies.length >= form.execs) return latencies;
    if (performance.now() > deadline) throw new Error(`${form.execs} programs were run, ${latencies.length} have an alert`);
    await sleep(100);
  }
}

function latenciesIn({ paths }: Site): readonly number[] {
  const db = new DatabaseSync(paths.agentDb, { readOnly: true, timeout: 2_000 });
  try {
    const sql = "SELECT alert_time - json_extract(query_result, '$[0].timestamp_ms') AS ms FROM alerts WHERE rule_id = ? ORDER BY id";
    return db
      .prepare(sql)
      .all(REPORTER)
      .map(({ ms }) => Number(ms));
  } finally {
    db.close();
  }
}

type Beside = { readonly findingOutMs: number; readonly worstMs: number; readonly figures: Figures };

/** At first a cycle finds out which rules do not end; from then on they run beside the cycles. */
async function measureBesideEndless(run: Run, form: Form, programs: string): Promise<Beside> {
  const rules = rulesDirectory(run);
  for (let number = 1; number <= form.endless; number++) writeRule(rules, `never-ends-${number}`, '', ENDLESS);
  const daemons = await startDaemons(run, programs, form.intervalMs, rules);
  const known = await cycleThat(daemons, ({ apart }) => apart === form.endless);
  const cycles = await waitForCycles(daemons, known + 1 + form.cycles);
  const { executors } = memoryNow(daemons.agent);
  await daemons.site.stop();
  const [before, after] = [cycles.slice(0, known + 1), cycles.slice(known + 1)];
  const findingOutMs = Math.round(Math.max(...before.map(({ durationMs }) => durationMs)));
  const durations = after.map(({ durationMs }) => durationMs);
  const worstMs = Math.round(Math.max(...durations));
  const others = Math.min(...after.map((cycle) => cycle.rules));
  run.progress(
    `beside ${form.endless} rules that never end: ${others} others in ${findingOutMs} ms at first, then in ${worstMs} ms at most`,
  );
  const figures = { endless: form.endless, others, findingOutMs, medianMs: rounded(median(durations)), worstMs, executorPssMiB: executors };
  return { findingOutMs, worstMs, figures };
}

/** The number of the first cycle, from 0, of which this holds. */
async function cycleThat(daemons: Daemons, isSuch: (cycle: LoggedCycle) => boolean): Promise<number> {
  for (let count = 1; ; count++) {
    const cycles = await waitForCycles(daemons, count);
    const found = cycles.findIndex(isSuch);
    if (found >= 0) return found;
  }
}
