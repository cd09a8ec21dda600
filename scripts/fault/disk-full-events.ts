/**
 * `disk-full-events`: the file system of the state directory fills up while thousands of process events are to be stored.
 * The ledger records the pause from its reserve, what cannot be kept is counted, and with space again all of it goes on.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildProgram } from './rig/compiled.ts';
import { eventually } from './rig/eventually.ts';
import { examine, expectEntry, expectLossInCoverage, hasEntry } from './rig/evidence.ts';
import { startHelper } from './rig/helper.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { mountTmpfs } from './rig/private-world.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';
import { fill, free } from './rig/volume.ts';

const SIZE_KIB = 48 * 1024;
const RATE = 2_000;
const WORKERS = 2;
const SECONDS = 8;
const PATIENCE_MS = 60_000;

export const diskFullEvents = defineFault({
  name: 'disk-full-events',
  summary: 'the disk fills up while thousands of process events are to be stored',
  rounds: 12,
  quickRounds: 1,
  needs: ['root', 'gcc'],
  world: 'host pids',
  run: async (campaign) => {
    const program = buildProgram(campaign.cleanup, 'exec-storm');
    const volume = join(temporaryDirectory(campaign.cleanup), 'volume');
    mountTmpfs(volume, SIZE_KIB, campaign.cleanup);
    const site = openSite(campaign, { stateDir: join(volume, 's') });
    await settled(site);
    const heads = createHeads();
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const told = await site.procmond();
      if (told !== null) heads.add(told.ledger, "procmond's health");
      await fillDuringStorm(campaign, site, volume, program, told?.ledger.sequence ?? 0);
    }
    await site.stop();
    await examine(campaign, site, heads.all());
    const { status, stdout } = await site.cli('audit', 'verify');
    campaign.expect(
      'verify-failed',
      status === 0 ? null : `sentinelcli audit verify: exit status ${status ?? 'none'}: ${stdout.slice(0, 300)}`,
    );
    campaign.expect('stack-trace', site.stackTrace());
  },
});

async function fillDuringStorm(campaign: Campaign, site: Site, volume: string, program: string, head: number): Promise<void> {
  const { random } = campaign;
  const pid = site.running('procmond')?.process.pid;
  const before = (await site.procmond())?.collection.events.total;
  const helper = startHelper(campaign, program, [String(SECONDS), String(RATE), String(WORKERS)]);
  await helper.answer('ready');
  helper.say('go');
  await sleep(random.between(200, 1_500));
  fill(volume, random.between(0, 64));
  const isPaused = await eventually(PATIENCE_MS, async () => (await site.procmond())?.collection.storage.paused?.kind === 'no_room');
  campaign.expect('pause-not-in-health', isPaused === null ? `the disk is full, and health says: ${await said(site)}` : null);
  fill(volume, 0);
  await eventually(PATIENCE_MS / 4, () => hasEntry(site, head, 'storage_pause'));
  expectEntry(campaign, site, head, 'storage_pause', 'the disk is full');
  const made = Number((await helper.answer('made')).split(' ')[0]);
  campaign.count('execs made', made);
  free(volume);
  await eventually(PATIENCE_MS, () => hasEntry(site, head, 'storage_resume'));
  expectEntry(campaign, site, head, 'storage_resume', 'there is space again');
  const isDrained = await eventually(PATIENCE_MS, async () => (await site.procmond())?.collection.events.queued === 0);
  campaign.expect('not-drained', isDrained === null ? `there is space, and health says: ${await said(site)}` : null);
  await scansMore(site, 2);
  campaign.expect('daemon-ended', site.running('procmond')?.process.pid === pid ? null : site.lastWords('procmond'));
  const total = (await site.procmond())?.collection.events.total;
  if (total === undefined || before === undefined) return;
  const missed = total.lost + total.dropped;
  campaign.most('events lost or dropped', missed);
  if (missed > before.lost + before.dropped) expectEntry(campaign, site, head, 'events_lost', `events were missed, ${missed} in all`);
  await expectLossInCoverage(campaign, site, missed);
}

async function said(site: Site): Promise<string> {
  return (await site.procmond())?.problems.join('; ') ?? site.lastWords('procmond');
}
