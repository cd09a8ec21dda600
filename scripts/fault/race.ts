/**
 * `race`: several starts at the same time on one state directory, new, used, or with the lock of a holder that was
 * killed. Exactly one may win; every other says who holds it and ends with status 4. And the two daemons, which belong
 * together, must not get into each other's way on a new directory.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { isAlive, knownProcess, signalProcess, type KnownProcess } from './rig/processes.ts';
import { plainEnvironment } from './rig/programs.ts';
import { refusalProblem } from './rig/refusal.ts';
import { DAEMONS, describeEnd, openSite, type DaemonName, type End, type Site } from './rig/site.ts';
import { killAll } from './rig/trial.ts';

const CONTESTS = ['procmond', 'sentinelagent', 'start', 'both daemons'] as const;
type Contest = (typeof CONTESTS)[number];
const GROUNDS = ['new', 'lock of a dead holder', 'new', 'lock and takeover of a dead holder'] as const;
type Ground = (typeof GROUNDS)[number];
const DECISION_PATIENCE_MS = 60_000;
const START_PROGRAM = join(import.meta.dirname, '..', 'start.ts');
const LOCKS: Readonly<Record<Exclude<Contest, 'both daemons'>, string>> = {
  procmond: 'events/procmond.lock',
  sentinelagent: 'agent/sentinelagent.lock',
  start: 'start.lock',
};

type Starter = {
  readonly process: KnownProcess;
  readonly end: () => End | null;
  readonly output: () => string;
  readonly errors: () => string;
};

export const race = defineFault({
  name: 'race',
  summary: 'two and ten starts at the same time on one state directory',
  rounds: 40,
  quickRounds: 4,
  needs: [],
  run: async (campaign) => {
    const site = openSite(campaign);
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const contest = CONTESTS[(round - 1) % CONTESTS.length] ?? 'procmond';
      const ground = GROUNDS[Math.floor((round - 1) / CONTESTS.length) % GROUNDS.length] ?? 'new';
      if (contest === 'both daemons') await startBoth(campaign, site);
      else await compete(campaign, site, contest, ground, round % 2 === 0 || campaign.quick ? 2 : 10);
      rmSync(site.stateDir, { recursive: true, force: true });
    }
  },
});

/** As two service units without an order between them would, on a new directory each time. */
async function startBoth(campaign: Campaign, site: Site): Promise<void> {
  for (let left = campaign.quick ? 2 : 10; left > 0; left--) {
    rmSync(site.stateDir, { recursive: true, force: true });
    const first = campaign.random.pick<DaemonName>(DAEMONS);
    site.start(first);
    // The moments in which directories are made differ from try to try.
    await sleep(campaign.random.between(0, 40));
    for (const name of DAEMONS) if (name !== first) site.start(name);
    const works = await eventually(15_000, async () => {
      if (DAEMONS.some((name) => site.running(name) === null)) return 'ended' as const;
      return (await site.procmond()) !== null && (await site.agent()) !== null;
    });
    const said = DAEMONS.map((name) => `${name}: ${site.lastWords(name)}`).join('; ');
    campaign.count('starts of both daemons');
    campaign.expect('both-daemons-collide', works === true ? null : `started together on a new directory: ${said}`);
    await killAll(site);
  }
}

async function compete(
  campaign: Campaign,
  site: Site,
  contest: Exclude<Contest, 'both daemons'>,
  ground: Ground,
  count: number,
): Promise<void> {
  await prepare(campaign, site, contest, ground);
  const what = `${count} starts of ${contest}, ${ground}`;
  const starters = Array.from({ length: count }, () => startOne(campaign, site, contest));
  const decided = await eventually(DECISION_PATIENCE_MS, () => starters.filter((starter) => starter.end() === null).length <= 1);
  const winners = starters.filter((starter) => starter.end() === null);
  campaign.count(`races of ${count}`);
  campaign.expect('race-undecided', decided === null ? `${what}: after ${DECISION_PATIENCE_MS} ms ${winners.length} still run` : null);
  const [winner] = winners;
  const serves = winner === undefined ? null : await eventually(20_000, () => servingPid(site, contest, winner));
  campaign.expect(
    'race-nobody-wins',
    serves === null
      ? `${what}: ${winners.length === 0 ? 'nobody is left' : 'the winner does not work'}: ${starters.map(sayEnd).join('; ').slice(0, 600)}`
      : null,
  );
  for (const loser of starters.filter((starter) => starter.end() !== null)) judgeLoser(campaign, contest, what, loser, winner);
  await endAll(starters);
}

/** What a killed holder leaves behind, where it is wanted. */
async function prepare(campaign: Campaign, site: Site, contest: Exclude<Contest, 'both daemons'>, ground: Ground): Promise<void> {
  if (ground === 'new') return;
  const holder = startOne(campaign, site, contest);
  const serves = await eventually(20_000, () => servingPid(site, contest, holder));
  if (serves === null) throw new Error(`${contest} does not start alone: ${holder.errors().slice(0, 300)}`);
  signalProcess(holder.process, 'SIGKILL');
  // The supervisor's daemons notice by themselves.
  await eventually(10_000, async () => (await site.procmond()) === null && (await site.agent()) === null);
  const lock = join(site.stateDir, LOCKS[contest]);
  if (ground === 'lock and takeover of a dead holder') copyFileSync(lock, `${lock}.takeover`);
}

function startOne(campaign: Campaign, site: Site, contest: Exclude<Contest, 'both daemons'>): Starter {
  const words = ['--state-dir', site.stateDir, '--set', 'collection.interval=500ms'];
  const [program, programWords] =
    contest === 'start'
      ? [process.execPath, ['--conditions=sentineld-source', START_PROGRAM, '--no-build', ...words]]
      : campaign.programs.command(contest, ['run', '--supervised', ...words]);
  const child: ChildProcess = spawn(program, programWords, { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnvironment() });
  const known = child.pid === undefined ? null : knownProcess(child.pid);
  if (known === null) throw new Error(`${contest} cannot be started`);
  const text = { output: '', errors: '' };
  child.stdout?.on('data', (bytes: Buffer) => (text.output += bytes.toString()));
  child.stderr?.on('data', (bytes: Buffer) => (text.errors += bytes.toString()));
  let end: End | null = null;
  child.on('close', (status, signal) => {
    end = { status, signal };
  });
  const starter = { process: known, end: () => end, output: () => text.output, errors: () => text.errors };
  campaign.cleanup.defer(`${contest}, pid ${known.pid}`, () => endAll([starter]));
  return starter;
}

/** The pid that serves, where it belongs to the winner. */
async function servingPid(site: Site, contest: Contest, winner: Starter): Promise<number | null> {
  if (contest === 'start') return /Alerts follow/.test(winner.output()) ? winner.process.pid : null;
  const health = contest === 'procmond' ? await site.procmond() : await site.agent();
  return health?.pid === winner.process.pid ? health.pid : null;
}

function judgeLoser(campaign: Campaign, contest: string, what: string, loser: Starter, winner: Starter | undefined): void {
  const end = loser.end();
  if (end === null) return;
  const problem = refusalProblem(contest === 'start' ? 'pnpm start' : contest, end, loser.errors());
  campaign.expect('loser-unclear', problem === null ? null : `${what}: ${problem}`);
  const names = winner !== undefined && new RegExp(`pid ${winner.process.pid}\\b`).test(loser.errors());
  campaign.expect(
    'holder-not-named',
    problem === null && !names
      ? `${what}: the winner is pid ${winner?.process.pid ?? 'none'}, a loser says: ${loser.errors().slice(0, 300)}`
      : null,
  );
}

function sayEnd(starter: Starter): string {
  const end = starter.end();
  return end === null
    ? `pid ${starter.process.pid} runs`
    : `${describeEnd(end)}: ${
        starter
          .errors()
          .split('\n')
          .find((line) => !line.startsWith('{')) ?? ''
      }`;
}

/** SIGTERM first, so that what the supervisor started ends with it. */
async function endAll(starters: readonly Starter[]): Promise<void> {
  for (const { process } of starters) signalProcess(process, 'SIGTERM');
  const gone = await eventually(15_000, () => starters.every((starter) => !isAlive(starter.process)));
  if (gone === null) for (const { process } of starters) signalProcess(process, 'SIGKILL');
  await eventually(5_000, () => starters.every((starter) => starter.end() !== null));
}
