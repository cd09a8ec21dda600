/**
 * `bench events`: a storm of short lives, told by each source of events and by polling in the same run. What was made
 * is known to the program that made it; what was seen is counted in the store.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { askOnce } from '@sentineld/runtime/ipc/client';
import { z } from 'zod';
import { build } from '../build.ts';
import { compileProgram } from './build-programs.ts';
import { readCollection } from './collection-reply.ts';
import { makeSite, startProcmond } from './daemons.ts';
import { processCpuMs } from './process-memory.ts';
import { atLeast, atMost, type Findings } from './report.ts';
import { loadFigures, type Run } from './run.ts';
import { rounded } from './statistics.ts';

const FULL = { perSecond: 2500, seconds: 20 } as const;
const QUICK = { perSecond: 200, seconds: 2 } as const;
const LIFE_MS = 5;
const TIERS = ['kernel', 'trace'] as const;
type Tier = (typeof TIERS)[number];
const TRACING = '/sys/kernel/tracing';
const STORED_PATIENCE_MS = 60_000;

const Made = z.object({ made: z.int().min(0), failed: z.int(), seconds: z.number() });

type Result = {
  readonly made: number;
  readonly madePerSecond: number;
  readonly seen: number;
  readonly lost: number;
  /** Neither seen nor counted as lost. */
  readonly unaccounted: number;
  readonly accountedShare: number;
  readonly argvShare: number;
  readonly seenByPolling: number;
  readonly pollingShare: number;
  readonly exits: number;
  readonly cpuPercent: number;
  readonly cpuMicrosecondsPerExec: number;
};

export async function benchEvents(run: Run): Promise<Findings> {
  const programs = await build();
  // Without a loader of libraries an exec costs half, and as many more fit into a second.
  const storm = compileProgram(run, 'storm', ['-static']);
  if (storm === null) return { ratios: {}, figures: {}, targets: targetsOf(null), missing: ['storms of short lives: they need gcc'] };
  const results = new Map<Tier, Result>();
  const missing: string[] = [];
  for (const tier of TIERS) {
    const reason = whyNot(tier);
    if (reason === null) results.set(tier, await measureTier(run, programs, storm, tier));
    else missing.push(`events by ${tier}: ${reason}`);
  }
  const kernel = results.get('kernel') ?? null;
  return {
    ratios: { kernelOverPolling: kernel === null ? null : rounded(kernel.seen / Math.max(1, kernel.seenByPolling)) },
    figures: { loadAverage: loadFigures(), lifeMs: LIFE_MS, kernel: kernel ?? {}, trace: results.get('trace') ?? {} },
    targets: targetsOf(kernel),
    missing,
  };
}

function targetsOf(kernel: Result | null) {
  return [
    atLeast('kernel.accountedShare', kernel?.accountedShare ?? null, 0.999, ''),
    atMost('kernel.unaccounted', kernel?.unaccounted ?? null, 0, ''),
  ];
}

/** Null, or why a tier cannot be measured here. Tracefs is mounted for the run in a namespace of mounts of its own. */
function whyNot(tier: Tier): string | null {
  if (process.getuid?.() !== 0) return 'it needs root';
  if (tier === 'kernel' || existsSync(`${TRACING}/trace_pipe`)) return null;
  const { status } = spawnSync('unshare', ['-m', 'sh', '-c', `mount -t tracefs tracefs ${TRACING}`]);
  return status === 0 ? null : 'tracefs is not mounted and cannot be';
}

async function measureTier(run: Run, programs: string, storm: string, tier: Tier): Promise<Result> {
  const { perSecond, seconds } = run.quick ? QUICK : FULL;
  const site = makeSite(run, ['collection.interval=1s', `collection.events=${tier}`, 'collection.hash=false', 'collection.budget.cpu=100']);
  const procmond = await startProcmond(run, site, programs, tier === 'trace' && !existsSync(`${TRACING}/trace_pipe`));
  await sleep(1500);
  const tag = `--storm=${tier}-${process.pid}`;
  const health = async () => readCollection(await askOnce(site.paths.procmondSocket, { request: 'health' }));
  const before = await health();
  const cpuBefore = processCpuMs(procmond.pid);
  run.progress(`${perSecond} execs a second for ${seconds} s, events by ${tier}`);
  const made = Made.parse(JSON.parse(await outputOf(storm, [String(perSecond), String(seconds), String(LIFE_MS), tag])));
  const after = await whenStored(health);
  const cpuMs = processCpuMs(procmond.pid) - cpuBefore;
  await site.stop();
  if (tier === 'trace') removeInstance();
  const found = countStored(site.paths.eventsDb, tag);
  const lost = after.events.total.lost + after.events.total.dropped - before.events.total.lost - before.events.total.dropped;
  const unaccounted = Math.max(0, made.made - found.seen - lost);
  const result = {
    made: made.made,
    madePerSecond: rounded(made.made / made.seconds),
    seen: found.seen,
    lost,
    unaccounted,
    accountedShare: rounded(Math.min(1, (found.seen + lost) / made.made)),
    argvShare: rounded(found.withArgv / Math.max(1, found.seen)),
    seenByPolling: found.polled,
    pollingShare: rounded(found.polled / made.made),
    exits: found.exits,
    cpuPercent: rounded(cpuMs / made.seconds / 10),
    cpuMicrosecondsPerExec: rounded((cpuMs * 1000) / made.made),
  };
  run.progress(`${tier}: ${result.seen} of ${result.made} seen, ${lost} lost, arguments of ${(result.argvShare * 100).toFixed(1)} %`);
  return result;
}

/** procmond gave up the right to do it: what it leaves is switched off, and taken again by its next start. */
function removeInstance(): void {
  const isMounted = existsSync(`${TRACING}/trace_pipe`);
  const mount = isMounted ? '' : `mount -t tracefs tracefs ${TRACING} && `;
  spawnSync('unshare', ['-m', 'sh', '-c', `${mount}rmdir ${TRACING}/instances/sentineld`]);
}

/** Health once nothing waits to be stored any more. */
async function whenStored(health: () => Promise<ReturnType<typeof readCollection>>): Promise<ReturnType<typeof readCollection>> {
  const deadline = performance.now() + STORED_PATIENCE_MS;
  let execs = -1;
  for (;;) {
    await sleep(1500);
    const now = await health();
    if (now.events.queued === 0 && now.events.total.execs === execs) return now;
    if (performance.now() > deadline) throw new Error(`${now.events.queued} events still wait to be stored`);
    execs = now.events.total.execs;
  }
}

async function outputOf(program: string, words: readonly string[]): Promise<string> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')));
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(`${program} ended with ${String(status)}`);
  return output;
}

/** What the store holds of the storm: by its tag where the arguments were read, by its executable otherwise. */
function countStored(path: string, tag: string) {
  const db = new DatabaseSync(path, { readOnly: true });
  const one = (sql: string, ...values: readonly string[]): number => Number(Object.values(db.prepare(sql).get(...values) ?? { n: 0 })[0]);
  const withArgv = one(
    `SELECT count(*) FROM process_events WHERE event = 'exec' AND instr(cmdline, ?) > 0 AND instr(cmdline, ' live ') > 0`,
    tag,
  );
  const withoutArgv = one(
    `SELECT count(*) FROM process_events WHERE event = 'exec' AND cmdline IS NULL AND (exe_path LIKE '%/storm' OR name = 'storm')`,
  );
  const exits = one(
    `SELECT count(*) FROM process_events WHERE event = 'exit' AND instr(cmdline, ?) > 0 AND instr(cmdline, ' live ') > 0`,
    tag,
  );
  const polled = one(
    `SELECT count(DISTINCT pid || '/' || start_time) FROM process_snapshots WHERE instr(command_line, ?) > 0 AND instr(command_line, '"live"') > 0`,
    tag,
  );
  db.close();
  return { seen: withArgv + withoutArgv, withArgv, exits, polled };
}
