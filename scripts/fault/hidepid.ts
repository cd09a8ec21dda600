/**
 * `hidepid`: /proc hides the processes of other users, from the start or from one moment on, and procmond has no rights
 * to see them all the same. What it does not see must be said in each scan, in its coverage and in health.
 */
import { chownSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isWell, problemsOf } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, withDatabase } from './rig/evidence.ts';
import { startChurn } from './rig/load.ts';
import { remountProc, type HidePid } from './rig/private-world.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';

/** Without an account and without rights. */
const USER = { uid: 61_190, gid: 61_190 };
const PATIENCE_MS = 15_000;
const CASES: readonly (readonly [HidePid, 'without rights' | 'with rights', 'at start' | 'later'])[] = [
  ['2', 'without rights', 'at start'],
  ['2', 'without rights', 'later'],
  ['1', 'without rights', 'at start'],
  ['2', 'with rights', 'at start'],
  ['1', 'without rights', 'later'],
  ['4', 'without rights', 'at start'],
];

export const hidepid = defineFault({
  name: 'hidepid',
  summary: '/proc hides the processes of other users',
  rounds: CASES.length,
  quickRounds: 2,
  needs: ['root', 'shared programs'],
  run: async (campaign) => {
    const churn = startChurn(campaign, 30);
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const [hidden, rights, when] = CASES[(round - 1) % CASES.length] ?? ['2', 'without rights', 'at start'];
      await hide(campaign, hidden, rights, when);
    }
    await churn.stop();
  },
});

async function hide(campaign: Campaign, hidden: HidePid, rights: string, when: string): Promise<void> {
  const what = `hidepid=${hidden} ${when}, procmond ${rights}`;
  campaign.say(what);
  const site = openSiteOf(campaign, rights);
  if (when === 'at start') remountProc(hidden, campaign.cleanup);
  await settled(site);
  if (when === 'later') {
    remountProc(hidden, campaign.cleanup);
    await scansMore(site, 2);
  }
  await judgeHidden(campaign, site, hidden, rights, what);
  remountProc('0', campaign.cleanup);
  await scansMore(site, 2);
  await judgeShown(campaign, site, rights, what);
  await site.stop();
  await examine(campaign, site, []);
  campaign.expect('stack-trace', site.stackTrace());
}

function openSiteOf(campaign: Campaign, rights: string): Site {
  if (rights === 'with rights') return openSite(campaign);
  const stateDir = join(temporaryDirectory(campaign.cleanup), 's');
  mkdirSync(stateDir, { mode: 0o700 });
  chownSync(stateDir, USER.uid, USER.gid);
  return openSite(campaign, { stateDir, user: USER });
}

/** Nobody may take what such a procmond sees for everything. */
async function judgeHidden(campaign: Campaign, site: Site, hidden: HidePid, rights: string, what: string): Promise<void> {
  const there = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
  const health = await site.procmond();
  const { stdout } = await site.cli('health');
  const [scan] = withDatabase(site.paths.eventsDb, (all) => all('SELECT * FROM coverage ORDER BY scan_id DESC LIMIT 1'));
  const seen = Number(scan?.['processes_seen']);
  campaign.say(`${seen} of ${there} seen, health "${health?.state ?? 'no answer'}": ${health?.problems.join('; ') ?? ''}`);
  campaign.most('processes that were hidden', there - seen);
  const isPartial = rights === 'without rights';
  if (!isPartial) {
    campaign.expect('not-seen-with-rights', seen < there / 2 ? `${what}: ${seen} of ${there}` : null);
    return;
  }
  // Listed or not, of others nothing can be read.
  campaign.expect('campaign-broke', hidden === '2' && seen > there / 2 ? `${what}: ${seen} of ${there} are seen` : null);
  campaign.expect('health-ok', isWell(health) ? `${what}: procmond says nothing of it` : null);
  campaign.expect(
    'health-does-not-say',
    /visib|hid/i.test(health?.problems.join() ?? '') ? null : `${what}: ${health?.problems.join('; ') ?? ''}`,
  );
  campaign.expect(
    'cli-ok',
    /^SentinelD: (degraded|failing)/i.test(stdout) ? null : `${what}: sentinelcli health: ${stdout.split('\n')[0] ?? ''}`,
  );
  campaign.expect('coverage-does-not-say', scan?.['reason'] === null ? `${what}: coverage has no reason` : null);
  if (hidden !== '1') campaign.expect('coverage-flag', scan?.['other_users_hidden'] === 1 ? null : `${what}: other_users_hidden is not 1`);
}

/** Once it is shown again all of it is there and nothing is said to be hidden. */
async function judgeShown(campaign: Campaign, site: Site, rights: string, what: string): Promise<void> {
  const isShown = await eventually(PATIENCE_MS, () => {
    const [scan] = withDatabase(site.paths.eventsDb, (all) =>
      all('SELECT processes_seen AS seen, other_users_hidden AS hidden FROM coverage ORDER BY scan_id DESC LIMIT 1'),
    );
    return scan?.['hidden'] === 0 && Number(scan['seen']) > 30;
  });
  campaign.expect(
    'still-hidden',
    isShown === null ? `after ${what}: ${(await site.procmond())?.problems.join('; ') ?? 'no answer'}` : null,
  );
  const after = await site.procmond();
  // Without rights something stays withheld: executables of others.
  if (rights === 'with rights') campaign.expect('not-ok-again', isWell(after) ? null : `after ${what}: ${problemsOf(after).join('; ')}`);
}
