/**
 * `ledger`: SIGKILL to the writer of a ledger at random moments under load, its start among them. What it acknowledged is
 * there once and in order, checkpoints are what they were, everything verifies, and the next start goes on.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { judgeLedger } from './rig/ledger-judge.ts';
import { startLedgerChild, type LedgerChild } from './rig/ledger-child.ts';
import type { Acknowledgement, LoadPlan } from './rig/ledger-load.ts';
import { createPromises, type Promises } from './rig/ledger-promises.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { createRandom } from './rig/random.ts';

/** Ledgers that are hurt at the same time: a good part of a round is waiting for a start. */
const LANES = 2;
/** Kills of one ledger, before a new one begins. */
const KILLS_OF_ONE = 25;
const CLIENTS = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'] as const;

export const ledger = defineFault({
  name: 'ledger',
  summary: 'SIGKILL to the writer of the ledger at random moments under load',
  rounds: 1000,
  quickRounds: 20,
  needs: [],
  run: async (campaign) => {
    const lanes = Math.min(LANES, campaign.rounds);
    const shares = Array.from({ length: lanes }, (_, lane) => Math.floor((campaign.rounds + lane) / lanes));
    await Promise.all(shares.map((share, lane) => killInLane(laneOf(campaign, lane), share)));
  },
});

/** Its own randomness, because which lane goes first is not for the seed to say. */
function laneOf(campaign: Campaign, lane: number): Campaign {
  return { ...campaign, random: createRandom(campaign.seed * LANES + lane), say: (text) => campaign.say(`${lane + 1}: ${text}`) };
}

async function killInLane(campaign: Campaign, share: number): Promise<void> {
  const base = temporaryDirectory(campaign.cleanup);
  for (let done = 0; done < share;) {
    const kills = Math.min(KILLS_OF_ONE, share - done);
    const directory = join(base, `ledger-${done}`);
    mkdirSync(directory, { mode: 0o750 });
    await hurtLedger(campaign, directory, kills, done);
    done += kills;
    campaign.say(`${done} of ${share} kills`);
  }
}

/** Kills the writer of one ledger again and again; at the end it works until it is done. */
async function hurtLedger(campaign: Campaign, directory: string, kills: number, before: number): Promise<void> {
  const promises = createPromises(CLIENTS);
  for (let kill = 1; kill <= kills; kill++) {
    campaign.begin(before + kill);
    await killOnce(campaign, directory, promises);
    judge(campaign, directory, promises);
  }
  const child = startLoad(campaign, directory, promises, { steps: 40, end: 'stop' });
  const errors = await child.ended;
  const told = takeTold(campaign, child, promises);
  campaign.expect('does-not-go-on', told.has('done') ? null : `after ${kills} kills: ${errors}`);
  judge(campaign, directory, promises);
  campaign.count('acknowledged', promises.count());
}

function startLoad(campaign: Campaign, directory: string, promises: Promises, how: Pick<LoadPlan, 'steps' | 'end'>): LedgerChild {
  const plan: LoadPlan = {
    directory,
    seed: campaign.random.between(1, 1_000_000),
    clients: promises.clients(),
    checkpoints: 0.15,
    rotations: 0.04,
    archives: 0.04,
    keptMs: 400,
    pauseMs: 4,
    checkpointEntries: 64,
    signEntries: campaign.random.chance(0.25),
    isFailing: false,
    ...how,
  };
  return startLedgerChild(campaign, 'ledger-load-main', [JSON.stringify(plan)]);
}

async function killOnce(campaign: Campaign, directory: string, promises: Promises): Promise<void> {
  const { random } = campaign;
  const child = startLoad(campaign, directory, promises, { steps: null, end: 'kill' });
  const isEarly = random.chance(0.15);
  // Of what starts the first moments are as interesting as those under load.
  if (!isEarly) await child.told();
  await sleep(isEarly ? random.between(0, 600) : random.between(0, 350));
  child.kill();
  const errors = await child.ended;
  const told = takeTold(campaign, child, promises);
  campaign.count(told.has('open') ? 'kills under load' : 'kills in a start');
  campaign.expect('does-not-start', told.has('open') || isEarly ? null : errors);
}

/** Keeps what was told as promised; gives the kinds of it. */
function takeTold(campaign: Campaign, child: LedgerChild, promises: Promises): ReadonlySet<Acknowledgement['told']> {
  const told = child.lines.map((line) => JSON.parse(line) as Acknowledgement);
  for (const acknowledgement of told) {
    promises.add(acknowledgement);
    if (acknowledgement.told === 'failure') campaign.find('writer-failed', `${acknowledgement.code}: ${acknowledgement.why}`);
    if (['submit', 'append', 'checkpoint', 'rotation', 'archive'].includes(acknowledgement.told))
      campaign.count(`told: ${acknowledgement.told}`);
  }
  return new Set(told.map((acknowledgement) => acknowledgement.told));
}

function judge(campaign: Campaign, directory: string, promises: Promises): void {
  const { entries, problems } = judgeLedger(directory, promises);
  campaign.most('entries of the largest ledger', entries);
  for (const { what, detail } of problems) campaign.find(what, detail);
}
