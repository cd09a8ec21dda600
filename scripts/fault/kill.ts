/**
 * `kill`: SIGKILL to procmond, the agent, the spawner and the executor, each equally often, at random moments under
 * load, their starts among them. Nothing that was acknowledged may be lost, nothing may be there twice, and everything goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isWell } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, examineQuiet, newestWitness } from './rig/evidence.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { expectGone, familyOf, killPart, reportUnaskedEnds, victimsOf } from './rig/kills.ts';
import { createBaits, startChurn, startOperator, startRecorder, type Baits, type Recorder } from './rig/load.ts';
import { createRandom } from './rig/random.ts';
import { DAEMONS, describeEnd, openSite, PARTS, type Part, type Site } from './rig/site.ts';

/** Installations that are hurt at the same time: mostly a kill waits for a start. */
const LANES = 3;
const EXAMINE_EVERY = 25;
/** Of moments in a row at which the chosen part does not run. */
const MOST_MISSES = 100;
const ALERT_PATIENCE_MS = 30_000;
const WORK_PATIENCE_MS = 30_000;

export const kill = defineFault({
  name: 'kill',
  summary: 'SIGKILL to every process at random moments under load, so often to each',
  rounds: 300,
  quickRounds: 1,
  needs: [],
  run: async (campaign) => {
    const lanes = Math.min(campaign.quick ? 1 : LANES, campaign.rounds);
    const shares = Array.from({ length: lanes }, (_, lane) => Math.floor((campaign.rounds + lane) / lanes));
    await Promise.all(shares.map((share, lane) => killInLane(laneOf(campaign, lane), share)));
  },
});

/** Its own randomness, because which lane goes first is not for the seed to say. */
function laneOf(campaign: Campaign, lane: number): Campaign {
  return { ...campaign, random: createRandom(campaign.seed * LANES + lane), say: (text) => campaign.say(`${lane + 1}: ${text}`) };
}

/** Kills each part of one installation `share` times, in an order of chance. */
async function killInLane(campaign: Campaign, share: number): Promise<void> {
  const site = openSite(campaign);
  const heads = createHeads();
  if ((await site.settle()) === null)
    throw new Error(`the daemons do not start: ${site.lastWords('procmond')} / ${site.lastWords('sentinelagent')}`);
  const recorder = startRecorder(campaign, site, ({ head }) => heads.add(head, 'a client that was acknowledged'));
  const loads = [recorder, startChurn(campaign), startOperator(campaign, site), startWitness(campaign, site, heads)];
  const baits = createBaits(campaign, site);
  const victims = victimsOf(campaign.random, PARTS, share);
  const total = victims.length;
  for (let misses = 0; victims.length > 0 && misses < MOST_MISSES;) {
    const [wanted = 'procmond'] = victims;
    campaign.begin(total - victims.length + 1);
    const isDone = await killOnce(campaign, site, wanted);
    misses = isDone ? 0 : misses + 1;
    if (isDone) victims.shift();
    plantAndReap(campaign, baits);
    if (!isDone || victims.length % EXAMINE_EVERY !== 0) continue;
    await examine(campaign, site, heads.all());
    campaign.say(`${total - victims.length} of ${total} kills, ${heads.all().length} heads of the ledger acknowledged`);
  }
  campaign.expect('never-there', victims.length === 0 ? null : `there is no ${victims[0] ?? ''} at ${MOST_MISSES} moments in a row`);
  await recovered(campaign, site, baits);
  for (const load of loads) await load.stop();
  await examineEnd(campaign, site, recorder, heads);
}

/** Whoever was told of a head keeps it: procmond's health and the agent's file are looked at all the time. */
function startWitness(campaign: Campaign, site: Site, heads: ReturnType<typeof createHeads>): { readonly stop: () => Promise<void> } {
  let stopped = false;
  const watch = async (): Promise<void> => {
    while (!stopped) {
      const health = await site.procmond();
      if (health !== null) heads.add(health.ledger, "procmond's health");
      const witness = newestWitness(site);
      if (witness !== null) heads.add(witness, "the agent's file");
      await sleep(50);
    }
  };
  const watching = watch().catch((cause: unknown) => campaign.find('campaign-broke', `witness: ${String(cause)}`));
  const stop = async (): Promise<void> => {
    stopped = true;
    await watching;
  };
  campaign.cleanup.defer('witness', stop);
  return { stop };
}

/** False where the part does not run at that moment: what starts has no executor yet. */
async function killOnce(campaign: Campaign, site: Site, wanted: Part): Promise<boolean> {
  const { random } = campaign;
  // Of what starts the first moments are as interesting as those under load.
  await sleep(random.chance(0.3) ? random.between(0, 400) : random.between(400, 2_000));
  reportUnaskedEnds(campaign, site, DAEMONS);
  // The executor is the spawner's to replace; with any other part of the agent the whole of it goes.
  const family = wanted === 'executor' || wanted === 'procmond' ? [] : familyOf(site);
  const isKilled = await killPart(campaign, site, wanted);
  // Now and then both daemons go at once, as with the power.
  if (isKilled && wanted === 'procmond' && random.chance(0.15)) await killPart(campaign, site, 'sentinelagent');
  for (const name of DAEMONS) if (site.running(name) === null) site.start(name);
  await expectGone(campaign, family, wanted);
  return isKilled;
}

function plantAndReap(campaign: Campaign, baits: Baits): void {
  const waiting = baits.reap();
  if (waiting.length < 6) baits.plant();
  campaign.most('baits waiting at once', waiting.length);
}

/** With nothing killed any more both daemons work, and every bait is reported. */
async function recovered(campaign: Campaign, site: Site, baits: Baits): Promise<void> {
  reportUnaskedEnds(campaign, site, DAEMONS);
  const last = baits.plant();
  const before = (await eventually(WORK_PATIENCE_MS, () => site.procmond()))?.scans ?? -1;
  const works = await eventually(WORK_PATIENCE_MS, async () => {
    const [procmond, agent] = [await site.procmond(), await site.agent()];
    const scanned = procmond !== null && procmond.state !== 'failing' && procmond.scans > before;
    return scanned && agent !== null && isWell(agent) && agent.lastCycle !== null && agent.lastCycle.failed === 0;
  });
  const said = [await site.procmond(), await site.agent()].map((health) => health?.problems.join('; ') ?? 'no answer').join(' / ');
  campaign.expect('does-not-recover', works === null ? `after the last kill: ${said}` : null);
  await eventually(ALERT_PATIENCE_MS, () => baits.reap().length === 0);
  const lost = baits.reap();
  campaign.expect(
    'alert-lost',
    lost.length === 0
      ? null
      : `${lost.length} processes were never reported, ${lost.includes(last) ? 'the last one too' : 'the last one was'}`,
  );
}

async function examineEnd(campaign: Campaign, site: Site, recorder: Recorder, heads: ReturnType<typeof createHeads>): Promise<void> {
  const drained = await eventually(WORK_PATIENCE_MS, async () => {
    const agent = await site.agent();
    return agent?.auditWaiting === 0 && agent.deliveries.open === 0;
  });
  campaign.expect(
    'audit-not-forwarded',
    drained === null ? `${(await site.agent())?.auditWaiting ?? 'unknown'} entries of the agent still wait` : null,
  );
  for (const name of DAEMONS.toReversed()) {
    const end = await site.running(name)?.stop();
    campaign.expect('bad-stop', end === undefined || end.status === 0 ? null : `${name}: ${describeEnd(end)}`);
  }
  const { ledger } = await examine(campaign, site, heads.all());
  examineQuiet(campaign, site, ledger);
  const recorded = ledger.origins.get(recorder.origin)?.size ?? 0;
  campaign.expect(
    'acknowledged-entry-lost',
    recorded < recorder.acknowledged() ? `${recorder.acknowledged()} entries were acknowledged to a client, ${recorded} are there` : null,
  );
  campaign.count('heads acknowledged', heads.all().length);
  campaign.count('entries acknowledged to a client', recorder.acknowledged());
  const { status, stdout } = await site.cli('audit', 'verify');
  campaign.expect(
    'verify-failed',
    status === 0 ? null : `sentinelcli audit verify: exit status ${status ?? 'none'}: ${stdout.slice(0, 300)}`,
  );
  campaign.expect('stack-trace', site.stackTrace());
}
