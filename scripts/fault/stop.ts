/**
 * `stop`: SIGSTOP to each process for some seconds, as a debugger, a freezer or a host without memory does. Whoever can
 * know of it must say so in health; the others go on; after SIGCONT all is as before, and nothing has grown.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isWell } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, examineQuiet, withDatabase } from './rig/evidence.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { createBaits, startChurn, type Baits } from './rig/load.ts';
import { residentBytes, signalProcess, type KnownProcess } from './rig/processes.ts';
import { DAEMONS, openSite, PARTS, type Part, type Site } from './rig/site.ts';

/** Longer than what procmond itself calls overdue: three intervals and five seconds. */
const LEAST_SECONDS = 8;
const MOST_SECONDS = 15;
const RECOVERY_PATIENCE_MS = 30_000;
const MOST_GROWTH_BYTES = 48 * 1024 * 1024;
const CLI_PATIENCE_MS = 10_000;
/** It looks once a second, and this campaign is late when the machine is busy. */
const STALL_SLACK_SECONDS = 3;
const STALL_LATE_SECONDS = 30;

export const stop = defineFault({
  name: 'stop',
  summary: 'SIGSTOP to each process for some seconds, then SIGCONT',
  rounds: 12,
  quickRounds: 1,
  needs: [],
  run: async (campaign) => {
    const site = openSite(campaign, { settings: ['detection.deadline=2s'] });
    const churn = startChurn(campaign);
    const baits = createBaits(campaign, site);
    const heads = createHeads();
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const part = campaign.quick ? campaign.random.pick(PARTS) : (PARTS[(round - 1) % PARTS.length] ?? 'procmond');
      const health = await site.settle();
      if (health === null) throw new Error(`the daemons do not work: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}`);
      const told = await site.procmond();
      if (told !== null) heads.add(told.ledger, "procmond's health");
      await stopOne(campaign, site, part, baits);
    }
    await churn.stop();
    await eventually(RECOVERY_PATIENCE_MS, async () => (await site.agent())?.auditWaiting === 0);
    await site.stop();
    const { ledger } = await examine(campaign, site, heads.all());
    examineQuiet(campaign, site, ledger);
    campaign.expect('stack-trace', site.stackTrace());
  },
});

async function stopOne(campaign: Campaign, site: Site, part: Part, baits: Baits): Promise<void> {
  const target = site.part(part);
  if (target === null) throw new Error(`there is no ${part}`);
  const seconds = campaign.random.between(LEAST_SECONDS, campaign.quick ? LEAST_SECONDS : MOST_SECONDS);
  const pids = DAEMONS.map((name) => site.running(name)?.process.pid);
  const sizes = measure(site);
  signalProcess(target, 'SIGSTOP');
  campaign.count(`stops of ${part}`);
  const scansBefore = (await site.procmond())?.scans ?? 0;
  const bait = baits.plant();
  await sleep(seconds * 1_000 - CLI_PATIENCE_MS / 10);
  await judgeWhileStopped(campaign, site, part, seconds, scansBefore);
  signalProcess(target, 'SIGCONT');
  await judgeRecovery(campaign, site, part, baits, bait);
  if (part === 'procmond') await judgeStall(campaign, site, seconds);
  const after = DAEMONS.map((name) => site.running(name)?.process.pid);
  campaign.expect(
    'daemon-ended',
    after.every((pid, index) => pid === pids[index])
      ? null
      : `after a stop of ${part}: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}`,
  );
  for (const [name, bytes] of measure(site)) {
    const growth = bytes - (sizes.get(name) ?? bytes);
    campaign.most(`MiB that ${name} grew`, Math.round(growth / 1_048_576));
    campaign.expect(
      'grows',
      growth > MOST_GROWTH_BYTES ? `${name} grew by ${Math.round(growth / 1_048_576)} MiB while ${part} was stopped` : null,
    );
  }
}

async function judgeWhileStopped(campaign: Campaign, site: Site, part: Part, seconds: number, scansBefore: number): Promise<void> {
  const what = `${part} has been stopped for ${seconds} s`;
  const startedMs = performance.now();
  const { status, stdout } = await site.cli('health');
  const ms = Math.round(performance.now() - startedMs);
  campaign.most('ms that `sentinelcli health` took', ms);
  campaign.expect('cli-hangs', ms > CLI_PATIENCE_MS ? `${what}: sentinelcli health took ${ms} ms` : null);
  const [procmond, agent] = [await site.procmond(), await site.agent()];
  const words = `procmond "${procmond?.state ?? 'no answer'}" (${procmond?.problems.join('; ') ?? ''}), agent "${agent?.state ?? 'no answer'}" (${agent?.problems.join('; ') ?? ''})`;
  if (part === 'procmond' || part === 'sentinelagent') {
    campaign.expect('health-does-not-say', status === 1 ? null : `${what}, and sentinelcli health says: ${stdout.split('\n')[0] ?? ''}`);
  }
  // The agent hears nothing of scans, or of its rules, so it can know. A stopped executor was replaced by now.
  if (part === 'procmond' || part === 'spawner')
    campaign.expect(`agent-silent-about-${part}`, agent !== null && isWell(agent) ? `${what}: ${words}` : null);
  if (part !== 'procmond')
    campaign.expect('scans-stand-still', procmond === null || procmond.scans <= scansBefore ? `${what}: ${words}` : null);
}

async function judgeRecovery(campaign: Campaign, site: Site, part: Part, baits: Baits, bait: ReturnType<Baits['plant']>): Promise<void> {
  const startedMs = performance.now();
  const works = await eventually(RECOVERY_PATIENCE_MS, async () => {
    const [procmond, agent] = [await site.procmond(), await site.agent()];
    if (procmond === null || agent === null || procmond.state === 'failing' || !isWell(agent)) return false;
    return agent.lastCycle !== null && procmond.lastScan !== null && procmond.lastScan.scanId - agent.lastCycle.scanId <= 2;
  });
  if (works !== null) campaign.most(`ms until all is well after a stop of ${part}`, Math.round(performance.now() - startedMs));
  const said = `${(await site.procmond())?.problems.join('; ') ?? 'no answer'} / ${(await site.agent())?.problems.join('; ') ?? 'no answer'}`;
  campaign.expect('does-not-recover', works === null ? `after a stop of ${part}: ${said}` : null);
  const reported = await eventually(RECOVERY_PATIENCE_MS, () => baits.alertsOf(bait).length > 0);
  campaign.expect('alert-lost', reported === null ? `a process that started while ${part} was stopped is not reported` : null);
  baits.reap();
}

/** Whoever stood still cannot say so meanwhile; afterwards it must, in health and for good in the ledger. */
async function judgeStall(campaign: Campaign, site: Site, seconds: number): Promise<void> {
  const isSaid = await eventually(RECOVERY_PATIENCE_MS, async () => {
    const health = await site.procmond();
    const ms = health?.collection.stall?.durationMs ?? 0;
    return ms > (seconds - STALL_SLACK_SECONDS) * 1_000 && /stood still/.test(health?.problems.join() ?? '');
  });
  const health = await site.procmond();
  const said = `${JSON.stringify(health?.collection.stall ?? null)}, ${health?.problems.join('; ') ?? 'no answer'}`;
  campaign.expect('stall-not-in-health', isSaid === null ? `procmond stood still for ${seconds} s: ${said}` : null);
  const stalls = withDatabase(site.paths.ledgerDb, (all) =>
    all(
      "SELECT json_extract(event_data, '$.duration_ms') AS ms FROM audit_ledger WHERE action = 'loop_stall' ORDER BY sequence DESC LIMIT 1",
    ),
  ).map(({ ms }) => Number(ms));
  const told = stalls[0] ?? 0;
  const isRight = told > (seconds - STALL_SLACK_SECONDS) * 1_000 && told < (seconds + STALL_LATE_SECONDS) * 1_000;
  campaign.expect('stall-not-in-ledger', isRight ? null : `procmond stood still for ${seconds} s, the newest entry says ${told} ms`);
}

function measure(site: Site): ReadonlyMap<Part, number> {
  const known = PARTS.flatMap((part): [Part, KnownProcess][] => {
    const found = site.part(part);
    return found === null ? [] : [[part, found]];
  });
  return new Map(known.map(([part, { pid }]) => [part, residentBytes(pid)]));
}
