/**
 * `many`: ten thousand processes, with room to hold a descriptor of each and without. Scans see all of them, keep their
 * interval or say that they do not, and procmond stays within its memory and its descriptors.
 */
import { readdirSync } from 'node:fs';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildBenchmarkProgram } from './rig/compiled.ts';
import { eventually } from './rig/eventually.ts';
import { examine, withDatabase } from './rig/evidence.ts';
import { startHelper } from './rig/helper.ts';
import { residentBytes } from './rig/processes.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';

const MANY = 10_000;
const QUICK_MANY = 500;
/** Fewer than there are processes, and more than procmond keeps for everything else. */
const SCARCE_DESCRIPTORS = 2_000;
const QUICK_SCARCE_DESCRIPTORS = 400;
const INTERVAL_MS = 2_000;
const MOST_BYTES = 100 * 1024 * 1024;
const SCANS = 6;
const PATIENCE_MS = 60_000;
/** What a busy machine adds to an interval without anything being stretched. */
const LATE_MS = 1_500;

export const many = defineFault({
  name: 'many',
  summary: 'ten thousand processes, with and without descriptors for each',
  rounds: 2,
  quickRounds: 2,
  needs: ['gcc'],
  run: async (campaign) => {
    const program = buildBenchmarkProgram(campaign.cleanup, 'sleepers');
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      await crowd(campaign, program, round % 2 === 0);
    }
  },
});

async function crowd(campaign: Campaign, program: string, isScarce: boolean): Promise<void> {
  const count = campaign.quick ? QUICK_MANY : MANY;
  const limit = isScarce ? (campaign.quick ? QUICK_SCARCE_DESCRIPTORS : SCARCE_DESCRIPTORS) : null;
  const wrapper = limit === null ? [] : ['prlimit', `--nofile=${limit}:${limit}`, '--'];
  const site = openSite(campaign, { settings: [`collection.interval=${INTERVAL_MS}ms`], procmondWrapper: wrapper });
  await settled(site);
  const helper = startHelper(campaign, program, [String(count)]);
  await helper.answer(`ready ${count}`);
  const what = `${count} processes${limit === null ? '' : `, ${limit} descriptors`}`;
  const isSeen = await eventually(PATIENCE_MS, () => newestScan(site).seen >= count);
  campaign.expect('not-all-seen', isSeen === null ? `${what}: ${newestScan(site).seen} are seen` : null);
  await scansMore(site, SCANS);
  await judgeCrowd(campaign, site, count, limit, what);
  await helper.end();
  const isGone = await eventually(PATIENCE_MS, () => newestScan(site).seen < count / 2);
  campaign.expect('still-seen', isGone === null ? `${what}: they ended and ${newestScan(site).seen} are seen` : null);
  await site.stop();
  await examine(campaign, site, []);
  campaign.expect('stack-trace', site.stackTrace());
}

async function judgeCrowd(campaign: Campaign, site: Site, count: number, limit: number | null, what: string): Promise<void> {
  const { id, seen, errors, intervals } = newestScan(site);
  const procmond = site.part('procmond')?.pid ?? 0;
  const bytes = residentBytes(procmond);
  const descriptors = readdirSync(`/proc/${procmond}/fd`).length;
  const health = await site.procmond();
  const said = `${health?.problems.join('; ') ?? 'no answer'} ${site.log('procmond')}`;
  campaign.say(
    `${what}: scan ${id} saw ${seen}, ${Math.round(bytes / 1_048_576)} MiB, ${descriptors} descriptors: "${health?.state ?? 'no answer'}" ${health?.problems.join('; ') ?? ''}`,
  );
  campaign.most('MiB of procmond', Math.round(bytes / 1_048_576));
  campaign.most('descriptors of procmond', descriptors);
  campaign.most('ms between two scans', Math.max(...intervals));
  campaign.expect('not-all-seen', seen >= count && errors === 0 ? null : `${what}: ${seen} are seen, ${errors} could not be read`);
  campaign.expect('too-large', bytes > MOST_BYTES ? `${what}: procmond has ${Math.round(bytes / 1_048_576)} MiB` : null);
  const isStretched = Math.min(...intervals) > INTERVAL_MS + LATE_MS;
  const isSaid =
    /budget|interval/i.test(said) ||
    withDatabase(site.paths.ledgerDb, (all) => all("SELECT 1 FROM audit_ledger WHERE action = 'budget_step'")).length > 0;
  campaign.expect(
    'stretched-silently',
    isStretched && !isSaid ? `${what}: scans are ${Math.min(...intervals)} ms apart and nothing says so` : null,
  );
  if (limit === null) return;
  campaign.expect('too-many-descriptors', descriptors >= limit ? `${what}: ${descriptors} are open` : null);
  campaign.expect(
    'scarcity-not-said',
    /descriptor|open files|held open/i.test(said) ? null : `${what}: neither health nor the log says that they do not suffice`,
  );
}

type Newest = { readonly id: number; readonly seen: number; readonly errors: number; readonly intervals: readonly number[] };

function newestScan(site: Site): Newest {
  const rows = withDatabase(site.paths.eventsDb, (all) =>
    all(`SELECT scan_id AS id, processes_seen AS seen, errors, interval_ms AS ms FROM coverage ORDER BY scan_id DESC LIMIT ${SCANS - 1}`),
  );
  const [newest] = rows;
  return {
    id: Number(newest?.['id']),
    seen: Number(newest?.['seen']),
    errors: Number(newest?.['errors']),
    intervals: rows.map(({ ms }) => Number(ms)),
  };
}
