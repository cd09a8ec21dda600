/**
 * `fsync`: writing out fails with EIO for a while, of the ledger, then of events.db. The ledger takes nothing while it
 * cannot be sure, and what was acknowledged before and after is in it; health says so; everything goes on by itself.
 */
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, examineQuiet, expectEntry } from './rig/evidence.ts';
import { buildFailingSync, type FailingSync } from './rig/failing-sync.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { startBulk, startChurn, startRecorder, type Recorder } from './rig/load.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { DAEMONS, openSite, settled, type Site } from './rig/site.ts';

/** Somebody who may read the programs and has no rights: a preloaded library does not survive giving up root. */
const USER = { uid: 61_190, gid: 61_190 };
const PATIENCE_MS = 30_000;
/** events.db is written out when its log is emptied, which is not with every scan. */
const EVENTS_PATIENCE_MS = 60_000;
const EVENTS_SAID_MS = 5_000;
/** Words that say that events.db is not written out. */
const OF_EVENTS = /IOERR|EIO|I\/O error|cannot be stored|events\.db/i;
const FILES = ['ledger.db', 'events.db'] as const;

export const fsync = defineFault({
  name: 'fsync',
  summary: 'fsync of the ledger, then of events.db, fails with EIO for a while',
  rounds: 12,
  quickRounds: 2,
  needs: ['gcc', 'shared programs'],
  run: async (campaign) => {
    const failing = buildFailingSync(campaign.cleanup);
    const stateDir = join(temporaryDirectory(campaign.cleanup), 's');
    mkdirSync(stateDir, { mode: 0o700 });
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(stateDir, USER.uid, USER.gid);
    const site = openSite(campaign, { stateDir, environment: failing.environment, ...(isRoot && { user: USER }) });
    await settled(site);
    const churn = startChurn(campaign);
    const heads = createHeads();
    const recorder = startRecorder(campaign, site, ({ head }) => heads.add(head, 'a client that was acknowledged'));
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const told = await site.procmond();
      if (told !== null) heads.add(told.ledger, "procmond's health");
      const file = FILES[(round - 1) % FILES.length] ?? 'ledger.db';
      if (file === 'ledger.db') await failLedger(campaign, site, failing, recorder);
      else await failEvents(campaign, site, failing);
    }
    await churn.stop();
    await recorder.stop();
    await eventually(PATIENCE_MS, async () => (await site.agent())?.auditWaiting === 0);
    await site.stop();
    await judgeEnd(campaign, site, heads.all(), recorder);
  },
});

async function failLedger(campaign: Campaign, site: Site, failing: FailingSync, recorder: Recorder): Promise<void> {
  const before = failing.failures();
  const known = (await site.procmond())?.ledger.sequence ?? 0;
  failing.choose('ledger.db');
  const hasFailed = await eventually(PATIENCE_MS, () => failing.failures() > before);
  if (hasFailed === null) throw new Error('nothing of the ledger was written out in all that time');
  const isSaid = await eventually(PATIENCE_MS, async () => /ledger/.test((await site.procmond())?.problems.join() ?? ''));
  const health = await site.procmond();
  campaign.say(`the ledger: "${health?.state ?? 'no answer'}" ${health?.problems.join('; ').slice(0, 200) ?? ''}`);
  campaign.expect('health-does-not-say', isSaid === null ? `the ledger: ${health?.problems.join('; ') ?? 'no answer'}` : null);
  campaign.expect(
    'health-not-failing',
    health?.state === 'failing' || isSaid === null ? null : `the ledger: "${health?.state ?? 'no answer'}"`,
  );
  const acknowledged = recorder.acknowledged();
  await sleep(campaign.random.between(1_000, campaign.quick ? 2_000 : 6_000));
  campaign.expect(
    'acknowledged-while-failing',
    recorder.acknowledged() > acknowledged ? `${recorder.acknowledged() - acknowledged} entries were acknowledged meanwhile` : null,
  );
  campaign.count('failures of the ledger', failing.failures() - before);
  await goesOn(campaign, site, failing, 'the ledger');
  const accepts = await eventually(PATIENCE_MS, () => recorder.acknowledged() > acknowledged);
  campaign.expect('takes-nothing-more', accepts === null ? `the ledger: ${site.lastWords('procmond')}` : null);
  expectEntry(campaign, site, known, 'ledger_reopen', 'a write of the ledger failed');
}

async function failEvents(campaign: Campaign, site: Site, failing: FailingSync): Promise<void> {
  const before = failing.failures();
  const logged = site.log('procmond').length;
  const bulk = startBulk(campaign);
  failing.choose('events.db');
  const hasFailed = await eventually(EVENTS_PATIENCE_MS, () => failing.failures() > before);
  if (hasFailed === null) {
    campaign.count('times that nothing of events.db was to be written out');
  } else {
    const isSaid = await eventually(EVENTS_SAID_MS, async () => OF_EVENTS.test((await site.procmond())?.problems.join() ?? ''));
    campaign.say(`events.db: "${(await site.procmond())?.problems.join('; ').slice(0, 200) ?? 'no answer'}"`);
    // What was not written out is still in the log of writes: to say so there is enough.
    const isLogged = OF_EVENTS.test(site.log('procmond').slice(logged));
    campaign.expect('health-does-not-say', isSaid === null && !isLogged ? 'events.db: neither health nor the log says anything' : null);
    campaign.count('failures of events.db', failing.failures() - before);
  }
  await bulk.stop();
  await goesOn(campaign, site, failing, 'events.db');
}

/** By themselves, once writing out works again. */
async function goesOn(campaign: Campaign, site: Site, failing: FailingSync, what: string): Promise<void> {
  const pids = DAEMONS.map((name) => site.running(name)?.process.pid);
  const from = await site.procmond();
  failing.choose(null);
  const mendedMs = performance.now();
  const works = await eventually(PATIENCE_MS, async () => {
    const health = await site.procmond();
    if (health === null || health.state === 'failing') return false;
    return health.scans > (from?.scans ?? 0) + 1 && health.ledger.sequence > (from?.ledger.sequence ?? 0);
  });
  if (works !== null) campaign.most(`ms until it goes on after ${what}`, Math.round(performance.now() - mendedMs));
  campaign.expect(
    'does-not-go-on',
    works === null ? `${what}: ${(await site.procmond())?.problems.join('; ') ?? site.lastWords('procmond')}` : null,
  );
  const isSame = DAEMONS.every((name, index) => site.running(name)?.process.pid === pids[index]);
  campaign.expect('daemon-ended', isSame ? null : `${what}: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}`);
}

async function judgeEnd(campaign: Campaign, site: Site, heads: Parameters<typeof examine>[2], recorder: Recorder): Promise<void> {
  const { ledger } = await examine(campaign, site, heads);
  examineQuiet(campaign, site, ledger);
  const recorded = [...ledger.origins].find(([origin]) => recorder.origin.endsWith(origin.split(':').at(-1) ?? '-'))?.[1].size ?? 0;
  campaign.count('entries acknowledged to a client', recorder.acknowledged());
  campaign.expect(
    'acknowledged-entry-lost',
    recorded < recorder.acknowledged() ? `${recorder.acknowledged()} entries were acknowledged to a client, ${recorded} are there` : null,
  );
  const { status, stdout } = await site.cli('audit', 'verify');
  campaign.expect(
    'verify-failed',
    status === 0 ? null : `sentinelcli audit verify: exit status ${status ?? 'none'}: ${stdout.slice(0, 300)}`,
  );
  campaign.expect('stack-trace', site.stackTrace());
}
