/**
 * `reader`: somebody reads an old state of events.db for a long time while scans go on, so that its log of writes cannot be
 * emptied. It must not grow beyond its limit: storing pauses, health names the reader, and all goes on when that ends.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isWell } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, withDatabase } from './rig/evidence.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { startBulk } from './rig/load.ts';
import { logBytes, startLongReader } from './rig/long-reader.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';

/** The least that the configuration allows. */
const LIMIT_BYTES = 8 * 1024 * 1024;
/** What one scan of all that came meanwhile adds after the last look at the log. */
const SLACK_BYTES = 32 * 1024 * 1024;
const PAUSE_PATIENCE_MS = 60_000;
const RESUME_PATIENCE_MS = 30_000;
const HOLD_MS = 60_000;
const QUICK_HOLD_MS = 5_000;

export const reader = defineFault({
  name: 'reader',
  summary: 'a reader keeps the log of events.db from being emptied',
  rounds: 3,
  quickRounds: 1,
  needs: [],
  run: async (campaign) => {
    const site = openSite(campaign, { settings: [`storage.wal_limit=${LIMIT_BYTES / 1_048_576}MiB`] });
    await settled(site);
    const heads = createHeads();
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const told = await site.procmond();
      if (told !== null) heads.add(told.ledger, "procmond's health");
      await holdLog(campaign, site, round);
    }
    await site.stop();
    await examine(campaign, site, heads.all());
    campaign.expect('stack-trace', site.stackTrace());
  },
});

async function holdLog(campaign: Campaign, site: Site, round: number): Promise<void> {
  const bulk = startBulk(campaign);
  const helper = await startLongReader(campaign, site);
  const watch = watchLog(campaign, site);
  const startedMs = performance.now();
  const { pid } = helper.process;
  const paused = await eventually(PAUSE_PATIENCE_MS, () => actionsOf(site, 'storage_pause').length >= round);
  if (paused !== null) campaign.most('ms until storing pauses', Math.round(performance.now() - startedMs));
  campaign.expect('pause-not-in-ledger', paused === null ? `the log has ${logBytes(site)} bytes, and the ledger no storage_pause` : null);
  await judgePause(campaign, site, pid);
  const held = campaign.quick ? QUICK_HOLD_MS : HOLD_MS;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, held - (performance.now() - startedMs))));
  campaign.expect('daemon-ended', site.running('procmond') === null ? site.lastWords('procmond') : null);
  await helper.end();
  await bulk.stop();
  await judgeResume(campaign, site, round);
  await watch.stop();
}

async function judgePause(campaign: Campaign, site: Site, pid: number): Promise<void> {
  const name = basename(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '');
  const isNamed = await eventually(RESUME_PATIENCE_MS, async () => {
    const said = (await site.procmond())?.problems.join('; ') ?? '';
    return said.includes(String(pid)) && said.includes(name);
  });
  const health = await site.procmond();
  campaign.say(`health "${health?.state ?? 'no answer'}": ${health?.problems.join('; ').slice(0, 300) ?? ''}`);
  campaign.expect(
    'reader-not-named',
    isNamed === null ? `${name} (pid ${pid}) reads; health: ${health?.problems.join('; ') ?? 'no answer'}` : null,
  );
  campaign.expect('health-ok', isWell(health) ? 'storing is paused and procmond says "ok"' : null);
  const shown = await site.operator('health');
  campaign.expect('cli-does-not-name', shown.stdout.includes(String(pid)) ? null : `sentinelcli health does not name pid ${pid}`);
}

/** With nobody reading any more scans are stored again, the log shrinks, and the ledger has both ends of the pause. */
async function judgeResume(campaign: Campaign, site: Site, round: number): Promise<void> {
  const endedMs = performance.now();
  const resumed = await eventually(RESUME_PATIENCE_MS, () => actionsOf(site, 'storage_resume').length >= round);
  if (resumed !== null) campaign.most('ms until storing goes on', Math.round(performance.now() - endedMs));
  campaign.expect('resume-not-in-ledger', resumed === null ? (site.lastWords('procmond') ?? '') : null);
  await scansMore(site, 2);
  const isWell = await eventually(
    RESUME_PATIENCE_MS,
    async () => !((await site.procmond())?.problems.join() ?? 'none').includes('wal_limit') && (await site.procmond())?.state !== 'failing',
  );
  campaign.expect('not-well-again', isWell === null ? ((await site.procmond())?.problems.join('; ') ?? 'no answer') : null);
  const isSmall = await eventually(RESUME_PATIENCE_MS, () => logBytes(site) <= LIMIT_BYTES);
  campaign.expect('log-stays-large', isSmall === null ? `${logBytes(site)} bytes, and nobody reads` : null);
}

function actionsOf(site: Site, action: string): readonly unknown[] {
  return withDatabase(site.paths.ledgerDb, (all) => all('SELECT sequence FROM audit_ledger WHERE action = ?', action));
}

function watchLog(campaign: Campaign, site: Site): { readonly stop: () => Promise<void> } {
  const look = (): void => {
    const bytes = logBytes(site);
    campaign.most('MiB of the log', Math.round(bytes / 1_048_576));
    campaign.expect(
      'log-grows',
      bytes > LIMIT_BYTES + SLACK_BYTES ? `${Math.round(bytes / 1_048_576)} MiB, the limit is ${LIMIT_BYTES / 1_048_576}` : null,
    );
  };
  const timer = setInterval(look, 100);
  const stop = async (): Promise<void> => clearInterval(timer);
  campaign.cleanup.defer('watch of the log', stop);
  return { stop };
}
