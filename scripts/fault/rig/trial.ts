/**
 * Starting a daemon on a state that something was done to: it says clearly why it cannot go on, or it goes on. And the
 * state to begin with: made once, put back before each trial as it was, owners and modes included.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { State } from './ask.ts';
import type { Campaign } from './campaign.ts';
import { eventually } from './eventually.ts';
import { createBaits } from './load.ts';
import { signalProcess } from './processes.ts';
import { temporaryDirectory } from './programs.ts';
import { refusalProblem } from './refusal.ts';
import { DAEMONS, type DaemonName, type Site } from './site.ts';

export type Trial =
  | { readonly kind: 'refused'; readonly status: number | null; readonly said: string; readonly problem: string | null }
  | { readonly kind: 'goes on'; readonly state: State; readonly problems: string }
  | { readonly kind: 'hangs'; readonly said: string };

const START_PATIENCE_MS = 20_000;

/** Starts one daemon and waits until it is over or has done its work once, or says why it cannot. */
export async function tryStart(site: Site, name: DaemonName): Promise<Trial> {
  const daemon = site.start(name);
  const going = await eventually(START_PATIENCE_MS, async () => {
    if (daemon.end() !== null) return 'ended' as const;
    const health = name === 'procmond' ? await site.procmond() : await site.agent();
    if (health === null || health.pid !== daemon.process.pid) return null;
    const hasWorked = 'lastScan' in health ? health.lastScan !== null : health.lastCycle !== null;
    return hasWorked || (health.state === 'failing' && health.problems.length > 0 && 'lastScan' in health) ? health : null;
  });
  const end = daemon.end();
  if (end !== null)
    return { kind: 'refused', status: end.status, said: shortly(daemon.said()), problem: refusalProblem(name, end, daemon.said()) };
  if (going === null || going === 'ended') return { kind: 'hangs', said: shortly(daemon.said()) };
  return { kind: 'goes on', state: going.state, problems: going.problems.join('; ') };
}

/** In one line, for a finding. */
export function describeTrial(trial: Trial): string {
  if (trial.kind === 'refused') return `refused with status ${trial.status ?? 'none'}: ${trial.said}`;
  return trial.kind === 'hangs' ? `neither works nor ends: ${trial.said}` : `goes on, health "${trial.state}" ${trial.problems}`;
}

function shortly(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('{"level":"info"'));
  return lines
    .slice(-3)
    .map((line) => line.trim().slice(0, 250))
    .join(' | ');
}

export type Baseline = {
  /** Puts the state back; nothing may run on it. */
  readonly restore: () => void;
};

/**
 * Lets both daemons work on the site until there is an alert, ends them as given and keeps a copy. 'killed' leaves logs
 * of writes that no database has yet.
 */
export async function makeBaseline(campaign: Campaign, site: Site, end: 'stopped' | 'killed'): Promise<Baseline> {
  const baits = createBaits(campaign, site);
  if ((await site.settle()) === null)
    throw new Error(`the daemons do not work: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}`);
  const bait = baits.plant();
  await eventually(START_PATIENCE_MS, () => baits.alertsOf(bait).length > 0);
  await eventually(START_PATIENCE_MS, async () => (await site.agent())?.auditWaiting === 0);
  await site.stop();
  if (end === 'killed') {
    // The databases hold what was before, their logs what comes now.
    if ((await site.settle()) === null) throw new Error('the daemons do not start again');
    await eventually(START_PATIENCE_MS, async () => ((await site.procmond())?.scans ?? 0) > 4);
    await killAll(site);
  }
  const copy = join(temporaryDirectory(campaign.cleanup), 'baseline');
  copyAll(site.stateDir, copy);
  return {
    restore: () => {
      rmSync(site.stateDir, { recursive: true, force: true });
      copyAll(copy, site.stateDir);
    },
  };
}

export async function killAll(site: Site): Promise<void> {
  for (const name of DAEMONS.toReversed()) {
    const daemon = site.running(name);
    if (daemon === null) continue;
    signalProcess(daemon.process, 'SIGKILL');
    await daemon.ended;
  }
}

function copyAll(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cp -a ${from} ${to}: ${stderr.trim()}`);
}

/** The bytes of a database and its log, by which a change is seen. */
export function digestOf(database: string): string {
  const hash = createHash('sha256');
  for (const file of [database, `${database}-wal`]) hash.update(existsSync(file) ? readFileSync(file) : 'none').update('|');
  return hash.digest('hex');
}
