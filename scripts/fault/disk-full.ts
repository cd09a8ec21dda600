/**
 * `disk-full`: the state directory on a small file system that is filled while both daemons work. They must say so and
 * stay; once there is space again scans, ledger, alerts and deliveries must go on by themselves. Starting on a full
 * disk must be refused with a clear error, and work once there is space.
 */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isWell } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, examineQuiet, expectEntry, hasEntry, withDatabase } from './rig/evidence.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { createBaits, startChurn, type Baits } from './rig/load.ts';
import { connectPeer } from './rig/peer.ts';
import { mountTmpfs } from './rig/private-world.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { refusalProblem, statusProblem } from './rig/refusal.ts';
import { DAEMONS, openSite, settled, type Site } from './rig/site.ts';
import { fill, free } from './rig/volume.ts';

const SIZE_KIB = 24 * 1024;
/** Lines of alerts that fit into a page. */
const SPARE_LINES = 12;
const NOTICE_PATIENCE_MS = 15_000;
const RECOVERY_PATIENCE_MS = 30_000;

export const diskFull = defineFault({
  name: 'disk-full',
  summary: 'the file system of the state directory fills up, and has space again',
  rounds: 6,
  quickRounds: 1,
  needs: ['root'],
  run: async (campaign) => {
    const churn = startChurn(campaign);
    // Logs lie on it too where `pnpm start` made it, elsewhere where a service manager takes them.
    if (!campaign.quick) await fillAgainAndAgain(campaign, 'elsewhere');
    await fillAgainAndAgain(campaign, 'beside');
    await churn.stop();
    await fillSink(campaign);
  },
});

/** Where the file of alerts alone cannot grow, alerts wait for as long as that takes. */
async function fillSink(campaign: Campaign): Promise<void> {
  campaign.say('the file of alerts alone');
  const volume = join(temporaryDirectory(campaign.cleanup), 'volume');
  mountTmpfs(volume, 256, campaign.cleanup);
  chmodSync(volume, 0o777);
  const file = join(volume, 'alerts.jsonl');
  const site = openSite(campaign, { settings: [`alerting.file.path=${file}`] });
  await settled(site);
  const baits = createBaits(campaign, site);
  fill(volume, 0);
  // The page that the file ends in may have room for some lines still.
  let bait = baits.plant();
  for (let more = SPARE_LINES; more > 0; more--) {
    await eventually(NOTICE_PATIENCE_MS, () => baits.alertsOf(bait).length > 0);
    await sleep(campaign.quick ? 500 : 2_000);
    if (!isWell(await site.agent())) break;
    bait = baits.plant();
  }
  await sleep(campaign.quick ? 1_000 : 10_000);
  const agent = await site.agent();
  campaign.say(`the agent says "${agent?.state ?? 'nothing'}": ${agent?.problems.join('; ') ?? ''}`);
  campaign.expect('sink-failure-not-said', isWell(agent) ? 'no alert can be written to the file and the agent says "ok"' : null);
  free(volume);
  const delivered = await eventually(RECOVERY_PATIENCE_MS / 2, () => existsSync(file) && readFileSync(file, 'utf8').includes(bait.path));
  const status = withDatabase(site.paths.agentDb, (all) =>
    all(
      "SELECT status, attempt_count AS attempts, error_message AS error FROM alert_deliveries WHERE sink_name = 'file' AND status <> 'success'",
    ),
  );
  campaign.expect(
    'delivery-given-up',
    delivered === null ? `the file can be written again and does not get the alert: ${JSON.stringify(status[0])}` : null,
  );
  await saysOkAgain(campaign, site);
  await site.stop();
}

async function fillAgainAndAgain(campaign: Campaign, logs: 'elsewhere' | 'beside'): Promise<void> {
  campaign.say(`logs ${logs}`);
  const volume = join(temporaryDirectory(campaign.cleanup), 'volume');
  mountTmpfs(volume, SIZE_KIB, campaign.cleanup);
  const site = openSite(campaign, { stateDir: join(volume, 's'), ...(logs === 'beside' && { logDir: volume }) });
  await settled(site);
  const heads = createHeads();
  const baits = createBaits(campaign, site);
  for (let round = 1; round <= campaign.rounds; round++) {
    campaign.begin(round);
    await fillAndFree(campaign, site, volume, baits, heads, logs);
    if (round % 2 === 0) await startWhileFull(campaign, site, volume, logs);
    await settled(site);
  }
  await quiet(site);
  await site.stop();
  const { ledger } = await examine(campaign, site, heads.all());
  examineQuiet(campaign, site, ledger);
  campaign.expect('stack-trace', site.stackTrace());
}

async function fillAndFree(
  campaign: Campaign,
  site: Site,
  volume: string,
  baits: Baits,
  heads: ReturnType<typeof createHeads>,
  logs: string,
): Promise<void> {
  const before = await site.procmond();
  if (before !== null) heads.add(before.ledger, "procmond's health");
  fill(volume, campaign.random.between(0, 64));
  const filledMs = performance.now();
  const bait = baits.plant();
  const noticed = await eventually(NOTICE_PATIENCE_MS, async () => {
    const health = await site.procmond();
    return health?.state === 'failing' ? health : null;
  });
  const noticeMs = Math.round(performance.now() - filledMs);
  if (noticed !== null) campaign.most('ms until procmond says so', noticeMs);
  campaign.expect('procmond-silent-when-full', noticed === null ? `procmond does not say "failing" within ${NOTICE_PATIENCE_MS} ms` : null);
  const reason = noticed?.problems.join('; ') ?? '';
  campaign.expect('reason-unclear', noticed === null || /full|space|ENOSPC/i.test(reason) ? null : `health says only: ${reason}`);
  await trickle(campaign, site, volume, baits);
  expectEntry(campaign, site, before?.ledger.sequence ?? 0, 'storage_pause', 'the disk is full');
  const agent = await site.agent();
  const silent = agent !== null && (isWell(agent) || !/full|space|ENOSPC/i.test(agent.problems.join('; ')));
  campaign.say(`the agent says "${agent?.state ?? 'nothing'}": ${agent?.problems.join('; ') ?? ''}`);
  campaign.expect(
    'agent-silent-when-full',
    silent ? `the agent cannot write its file and says "${agent.state}" (${agent.problems.join('; ')})` : null,
  );
  free(volume);
  for (const name of DAEMONS.filter((one) => site.running(one) === null)) {
    campaign.find(`daemon-ended, logs ${logs}`, `${name}: ${site.lastWords(name)}`);
    site.start(name);
  }
  await recovered(campaign, site, bait, baits, performance.now());
  await eventually(RECOVERY_PATIENCE_MS, () => hasEntry(site, before?.ledger.sequence ?? 0, 'storage_resume'));
  expectEntry(campaign, site, before?.ledger.sequence ?? 0, 'storage_resume', 'there is space again');
}

/** A page here and there, so that in each round another write is the one that fails. */
async function trickle(campaign: Campaign, site: Site, volume: string, baits: Baits): Promise<void> {
  for (let pages = campaign.quick ? 8 : 24; pages > 0; pages--) {
    if (baits.reap().length < 4) baits.plant();
    // What is refused is to be recorded, which cannot be done now.
    for (const path of [site.paths.procmondSocket, site.paths.agentSocket])
      (await connectPeer(path, null))?.send(Buffer.from('ffffffff', 'hex'));
    fill(volume, 4 * campaign.random.between(1, 24));
    await sleep(campaign.random.between(100, 700));
  }
  fill(volume, 0);
  await sleep(1_000);
}

/** By themselves: the ledger grows, scans are stored, what waits is forwarded, the process that came meanwhile is reported. */
async function recovered(campaign: Campaign, site: Site, bait: ReturnType<Baits['plant']>, baits: Baits, freedMs: number): Promise<void> {
  const from = await site.procmond();
  const scans = await eventually(RECOVERY_PATIENCE_MS, async () => {
    const health = await site.procmond();
    return (
      health !== null &&
      health.state !== 'failing' &&
      health.scans > (from?.scans ?? 0) &&
      health.ledger.sequence > (from?.ledger.sequence ?? 0)
    );
  });
  if (scans !== null) campaign.most('ms until scans go on', Math.round(performance.now() - freedMs));
  campaign.expect('scans-do-not-go-on', scans === null ? `procmond: ${(await site.procmond())?.problems.join('; ') ?? 'no answer'}` : null);
  const reported = await eventually(RECOVERY_PATIENCE_MS, () => baits.alertsOf(bait).length > 0);
  campaign.expect(
    'alert-lost',
    reported === null ? `a process that started while the disk was full is not reported: ${site.lastWords('sentinelagent')}` : null,
  );
  const forwarded = await quiet(site);
  const agent = await site.agent();
  const left = `${agent?.auditWaiting ?? 'unknown'} audit entries and ${agent?.deliveries.open ?? 'unknown'} deliveries wait, health says "${agent?.state ?? 'nothing'}": ${site.lastWords('sentinelagent')}`;
  campaign.expect('agent-does-not-go-on', forwarded === null ? left : null);
  if (forwarded !== null) campaign.most('ms until the agent has caught up', Math.round(performance.now() - freedMs));
  await saysOkAgain(campaign, site);
  baits.reap();
}

async function saysOkAgain(campaign: Campaign, site: Site): Promise<void> {
  const isOk = await eventually(RECOVERY_PATIENCE_MS, async () => isWell(await site.agent()));
  campaign.expect(
    'not-ok-again',
    isOk === null ? `there is space, and the agent says: ${(await site.agent())?.problems.join('; ') ?? 'nothing'}` : null,
  );
}

function quiet(site: Site): Promise<true | null> {
  return eventually(RECOVERY_PATIENCE_MS, async () => {
    const agent = await site.agent();
    return agent !== null && agent.auditWaiting === 0 && agent.deliveries.open === 0;
  });
}

/** A full disk at start is an error of the environment: one line, a hint, status 4; nothing is damaged. */
async function startWhileFull(campaign: Campaign, site: Site, volume: string, logs: 'elsewhere' | 'beside'): Promise<void> {
  await site.stop();
  fill(volume, 0);
  for (const name of DAEMONS) {
    const daemon = site.start(name);
    // Going on and saying so in health is as good.
    const ended = await Promise.race([daemon.ended, sleep(4_000).then(() => null)]);
    if (ended === null) campaign.count(`starts of ${name} on a full disk that went on`);
    else campaign.count(`starts of ${name} on a full disk that were refused`);
    if (ended === null) continue;
    // What it says goes to the full disk too where the logs are beside, and only as much of it as there is space for.
    const problem = logs === 'elsewhere' ? refusalProblem(name, ended, daemon.said()) : statusProblem(name, ended);
    campaign.expect('unclear-start-when-full', problem);
  }
  free(volume);
  await site.stop();
}
