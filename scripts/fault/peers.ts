/**
 * `peers`: hostile and broken peers on each of the three sockets. The daemon stays up and does not grow, other clients
 * are served all the while, and what was refused is recorded without the ledger being flooded by it.
 */
import { readdirSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, withDatabase } from './rig/evidence.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { ATTACKS, type Attack, type Target } from './rig/peer-attacks.ts';
import { residentBytes } from './rig/processes.ts';
import type { User } from './rig/programs.ts';
import { DAEMONS, openSite, settled, type DaemonName, type Site } from './rig/site.ts';

/** In the operators' group, and nobody's account. */
const ATTACKER_UID = 61_101;
const MOST_GROWTH_BYTES = 64 * 1024 * 1024;
const MOST_REFUSALS_PER_ATTACK = 200;
const SERVED_WITHIN_MS = 1_500;
const IDLE_MS = 35_000;
const SPARE_DESCRIPTORS = 4;

export const peers = defineFault({
  name: 'peers',
  summary: 'hostile and broken peers on each socket',
  rounds: ATTACKS.length * 3,
  quickRounds: 3,
  needs: [],
  run: async (campaign) => {
    const site = openSite(campaign);
    await settled(site);
    const heads = createHeads();
    const refused = new Map<DaemonName, number>();
    const targets = targetsOf(site);
    const pairs = ATTACKS.flatMap((attack) => targets.map((target) => ({ attack, target })));
    const isAll = campaign.rounds >= pairs.length;
    if (targets.some(({ user }) => user === null))
      campaign.say('not root: the attacker is the user who asks, so others are not looked after');
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const pair = pairs[isAll ? (round - 1) % pairs.length : campaign.random.between(0, pairs.length - 1)];
      if (pair === undefined) continue;
      const told = await site.procmond();
      if (told !== null) heads.add(told.ledger, "procmond's health");
      await attackOnce(campaign, site, pair.attack, pair.target, (count) =>
        refused.set(pair.target.daemon, (refused.get(pair.target.daemon) ?? 0) + count),
      );
      await settled(site);
    }
    await eventually(20_000, async () => (await site.agent())?.auditWaiting === 0);
    await site.stop();
    await examine(campaign, site, heads.all());
    // Those of the agent that were still to be handed over when it ended are handed over by the next one.
    await settled(site);
    await eventually(20_000, async () => (await site.agent())?.auditWaiting === 0);
    await site.stop();
    judgeAccount(campaign, site, refused);
    campaign.expect('stack-trace', site.stackTrace());
    campaign.expect('warning-in-log', warningIn(site));
  },
});

/** The operators' sockets are attacked by an operator, the agent's own by somebody who has taken over the agent. */
function targetsOf(site: Site): readonly (Target & { readonly daemon: DaemonName })[] {
  const isRoot = process.getuid?.() === 0;
  const gid = statSync(site.paths.eventsDir).gid;
  const operator: User | null = isRoot ? { uid: ATTACKER_UID, gid } : null;
  const agent: User | null = isRoot ? { uid: statSync(site.paths.agentDir).uid, gid } : null;
  return [
    { name: "procmond's, for operators", path: site.paths.procmondSocket, user: operator, daemon: 'procmond' },
    { name: "procmond's, for the agent", path: site.paths.procmondAgentSocket, user: agent, daemon: 'procmond' },
    { name: "the agent's", path: site.paths.agentSocket, user: operator, daemon: 'sentinelagent' },
  ];
}

type Measure = {
  readonly pids: readonly number[];
  readonly bytes: readonly number[];
  readonly descriptors: readonly number[];
  readonly refusals: number;
  readonly ledgerBytes: number;
};

async function attackOnce(campaign: Campaign, site: Site, attack: Attack, target: Target, refused: (count: number) => void): Promise<void> {
  const what = `${attack.name} on ${target.name} socket`;
  const before = measure(site);
  const served = target.user === null ? null : watchService(campaign, site, what);
  const startedMs = performance.now();
  const problem = await attack.run(campaign, target, refused);
  const ms = Math.round(performance.now() - startedMs);
  await served?.stop();
  campaign.expect(`peer: ${attack.name}`, problem === null ? null : `${target.name} socket: ${problem}`);
  // What waits for the ledger is written by then, or never.
  await eventually(10_000, async () => (await site.agent())?.auditWaiting === 0);
  const after = measure(site);
  const refusals = after.refusals - before.refusals;
  campaign.say(`${what}: ${ms} ms, ${refusals} refusals in the ledger`);
  campaign.count('refusals in the ledger', refusals);
  campaign.expect(
    'daemon-ended',
    after.pids.join() === before.pids.join() ? null : `${what}: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}`,
  );
  campaign.expect(
    'ledger-flooded',
    refusals > MOST_REFUSALS_PER_ATTACK
      ? `${what}: ${refusals} entries, ${Math.round((after.ledgerBytes - before.ledgerBytes) / 1024)} KiB, in ${ms} ms`
      : null,
  );
  for (const [index, name] of DAEMONS.entries()) {
    const growth = (after.bytes[index] ?? 0) - (before.bytes[index] ?? 0);
    campaign.most(`MiB that ${name} grew in one attack`, Math.round(growth / 1_048_576));
    campaign.expect('grows', growth > MOST_GROWTH_BYTES ? `${what}: ${name} grew by ${Math.round(growth / 1_048_576)} MiB` : null);
  }
  const isBack = await eventually(IDLE_MS, () =>
    measure(site).descriptors.every((count, index) => count <= (before.descriptors[index] ?? 0) + SPARE_DESCRIPTORS),
  );
  campaign.expect(
    'descriptors-leak',
    isBack === null
      ? `${what}: open descriptors were ${before.descriptors.join(' and ')}, are ${measure(site).descriptors.join(' and ')}`
      : null,
  );
}

function measure(site: Site): Measure {
  const pids = DAEMONS.map((name) => site.running(name)?.process.pid ?? 0);
  return {
    pids,
    bytes: pids.map(residentBytes),
    descriptors: pids.map((pid) => (pid === 0 ? 0 : readdirSync(`/proc/${pid}/fd`).length)),
    refusals: withDatabase(site.paths.ledgerDb, (all) =>
      Number(all("SELECT count(*) AS n FROM audit_ledger WHERE action = 'request_refused'")[0]?.['n']),
    ),
    ledgerBytes: statSync(site.paths.ledgerDb).size + (statSync(`${site.paths.ledgerDb}-wal`, { throwIfNoEntry: false })?.size ?? 0),
  };
}

/** Refusals may be counted instead of recorded one by one, but none may be left out. */
function judgeAccount(campaign: Campaign, site: Site, refused: ReadonlyMap<DaemonName, number>): void {
  const recorded = withDatabase(site.paths.ledgerDb, (all) =>
    all(
      "SELECT actor, sum(coalesce(json_extract(event_data, '$.counted'), 1)) AS n FROM audit_ledger WHERE action = 'request_refused' GROUP BY actor",
    ),
  );
  for (const [name, least] of refused) {
    const found = Number(recorded.find(({ actor }) => actor === name)?.['n'] ?? 0);
    campaign.expect(
      'refusals-not-accounted',
      found < least ? `${name} refused at least ${least} times, and the ledger accounts for ${found}` : null,
    );
  }
}

/** Another client asks both daemons all the time, and rules go on being run. */
function watchService(campaign: Campaign, site: Site, what: string): { readonly stop: () => Promise<void> } {
  let stopped = false;
  const ask = async (name: DaemonName): Promise<void> => {
    while (!stopped) {
      const startedMs = performance.now();
      const answer = name === 'procmond' ? await site.procmond() : await site.agent();
      const ms = Math.round(performance.now() - startedMs);
      campaign.most(`ms that another client waited for ${name}`, ms);
      campaign.count('questions of other clients');
      campaign.expect(
        'others-not-served',
        answer === null || ms > SERVED_WITHIN_MS
          ? `${what}: ${name} gave ${answer === null ? 'no answer' : 'an answer'} after ${ms} ms`
          : null,
      );
      await sleep(50);
    }
  };
  const asking = Promise.all(DAEMONS.map(ask));
  const stop = async (): Promise<void> => {
    stopped = true;
    await asking;
  };
  campaign.cleanup.defer('other clients', stop);
  return { stop };
}

/** What Node itself complains about, for instance listeners that pile up. */
function warningIn(site: Site): string | null {
  const lines = DAEMONS.flatMap((name) =>
    site
      .log(name)
      .split('\n')
      .filter((line) => /Warning:/.test(line))
      .map((line) => `${name}: ${line.slice(0, 250)}`),
  );
  return lines.length === 0 ? null : `${lines.length} warnings, the first is ${lines[0] ?? ''}`;
}
