/**
 * `pid-reuse`: the same few pids are given to one process after the other, between scans and within them. Each is
 * described as itself, as a child of its own parent, and for as long as it lived.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildProgram } from './rig/compiled.ts';
import { examine, withDatabase } from './rig/evidence.ts';
import { startHelper, type Helper } from './rig/helper.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';

/** Far from what is given out meanwhile. */
const FIRST_PID = 20_000;
const PIDS = 4;
const SHORTEST_MS = 12;
const LONGEST_MS = 900;
/** Between the clock of a scan and that of the one who tells when it was over. */
const SLACK_MS = 20;

type Life = { readonly name: string; readonly pid: number; readonly start: number; readonly diedMs: number | null };
type Row = Readonly<Record<string, unknown>>;

export const pidReuse = defineFault({
  name: 'pid-reuse',
  summary: 'the same pids are given to one process after the other',
  rounds: 240,
  quickRounds: 48,
  needs: ['root', 'gcc'],
  run: async (campaign) => {
    const program = buildProgram(campaign.cleanup, 'reuse');
    const site = openSite(campaign);
    await settled(site);
    const watch = watchParents(campaign, site);
    const shares = Array.from({ length: PIDS }, (_, slot) => Math.floor((campaign.rounds + slot) / PIDS));
    const lives = (await Promise.all(shares.map((share, slot) => reusePid(campaign, program, slot, share)))).flat();
    await scansMore(site, 2);
    await watch.stop();
    campaign.count('lives', lives.length);
    judgeHistory(campaign, site, lives);
    judgeParents(campaign, site);
    const [procmond] = [await site.procmond()];
    campaign.expect('health-wrong', procmond?.state === 'failing' ? procmond.problems.join('; ') : null);
    await site.stop();
    await examine(campaign, site, []);
    campaign.expect('stack-trace', site.stackTrace());
  },
});

/** All lives of one pid, one after the other. */
async function reusePid(campaign: Campaign, program: string, slot: number, count: number): Promise<readonly Life[]> {
  const pid = FIRST_PID + slot * 100;
  const helper = startHelper(campaign, program, [String(pid), String(slot)]);
  await helper.answer('ready');
  const { random } = campaign;
  const lives: Life[] = [];
  for (let serial = 1; serial <= count; serial++) {
    campaign.begin(serial);
    // Mostly short, so that several fall between two scans; some long enough to be in one.
    const ms = random.chance(0.6) ? random.between(SHORTEST_MS, 120) : random.between(SHORTEST_MS, LONGEST_MS);
    helper.say(`${serial} ${ms} ${random.chance(0.3) ? 1 : 0} ${random.chance(0.4) ? 1 : 0}`);
    lives.push(...(await lifeOf(helper, pid, slot, serial)));
  }
  await helper.end();
  return lives;
}

async function lifeOf(helper: Helper, pid: number, slot: number, serial: number): Promise<readonly Life[]> {
  const answer = await helper.answer(`life ${serial} `);
  if (answer === '') return [];
  const [start = 0, diedMs = 0, child = 0, childStart = 0] = answer.split(' ').map(Number);
  const own = { name: `r${slot}-${serial}`, pid, start, diedMs };
  return child === 0 ? [own] : [own, { name: `c${slot}-${serial}`, pid: child, start: childStart, diedMs: null }];
}

/** The parent's name of the newest scan, looked at all the time: names tell who belongs to whom. */
function watchParents(campaign: Campaign, site: Site): { readonly stop: () => Promise<void> } {
  let stopped = false;
  const watch = async (): Promise<void> => {
    while (!stopped) {
      const rows = withDatabase(site.paths.eventsDb, (all) =>
        all("SELECT name, parent_name AS parent FROM processes WHERE name GLOB '[rc][0-9]-*' AND parent_name GLOB '[rc][0-9]-*'"),
      );
      for (const { name, parent } of rows) judgeParent(campaign, String(name), String(parent));
      await sleep(100);
    }
  };
  const watching = watch().catch((cause: unknown) => campaign.find('campaign-broke', `parents: ${String(cause)}`));
  const stop = async (): Promise<void> => {
    stopped = true;
    await watching;
  };
  campaign.cleanup.defer('watch of parents', stop);
  return { stop };
}

function judgeParent(campaign: Campaign, name: string, parent: string): void {
  campaign.count('parents held against the truth');
  // A child has its parent's name for a moment.
  const isRight = parent === `r${name.slice(1)}`;
  campaign.expect('wrong-parent', isRight ? null : `${name} is said to be a child of ${parent}`);
}

/** Every row of a pid and a start time has the name of that process, from its birth to its death. */
function judgeHistory(campaign: Campaign, site: Site, lives: readonly Life[]): void {
  const known = new Map(lives.map((life) => [`${life.pid} ${life.start}`, life]));
  const pids = Array.from({ length: PIDS }, (_, slot) => FIRST_PID + slot * 100);
  const rows = withDatabase(site.paths.eventsDb, (all) =>
    all(
      `SELECT pid, name, command_line AS command, timestamp_ms AS scanned, json_extract(platform_data, '$.start_ticks') AS start
       FROM process_snapshots WHERE pid IN (${pids.join(', ')}) OR name GLOB 'c[0-9]-*'`,
    ),
  );
  const seen = new Set<Life>();
  for (const row of rows) {
    const life = known.get(`${String(row['pid'])} ${String(row['start'])}`);
    // The child of one that called exec is known by its name alone.
    if (life === undefined) campaign.expect('unknown-identity', String(row['name']).startsWith('c') ? null : JSON.stringify(row));
    else {
      seen.add(life);
      judgeRow(campaign, life, row);
    }
  }
  const reused = pids.filter((pid) => [...seen].filter((life) => life.pid === pid).length > 1);
  campaign.count('lives that a scan saw', seen.size);
  campaign.expect(
    'campaign-broke',
    reused.length < PIDS ? `scans saw only ${reused.length} of ${PIDS} pids with more than one process` : null,
  );
}

function judgeRow(campaign: Campaign, life: Life, row: Row): void {
  const { name, command, scanned } = row;
  const isNamed =
    name === life.name || name === 'reuse' || name === 'exe' || (life.name.startsWith('c') && name === `r${life.name.slice(1)}`);
  campaign.expect('names-mixed-up', isNamed ? null : `${life.name} (pid ${life.pid}, start ${life.start}) is said to be ${String(name)}`);
  const serial = /"live","(\d+)","(\d+)"/.exec(String(command));
  const isOwnCommand = serial === null || `r${serial[1] ?? ''}-${serial[2] ?? ''}` === life.name;
  campaign.expect('arguments-mixed-up', isOwnCommand ? null : `${life.name} is said to run ${String(command)}`);
  const lateMs = life.diedMs === null ? 0 : Number(scanned) - life.diedMs;
  campaign.expect('outlives-itself', lateMs > SLACK_MS ? `${life.name} had ended ${lateMs} ms before a scan that saw it began` : null);
}

/** Nobody is the parent of somebody older, in any scan. */
function judgeParents(campaign: Campaign, site: Site): void {
  const young = withDatabase(site.paths.eventsDb, (all) =>
    all(
      `WITH one AS MATERIALIZED (SELECT scan_id, pid, ppid, name, json_extract(platform_data, '$.start_ticks') AS start FROM process_snapshots)
       SELECT c.scan_id AS scan, c.name AS child, p.name AS parent, c.start AS born, p.start AS later
       FROM one c JOIN one p ON p.scan_id = c.scan_id AND p.pid = c.ppid WHERE p.start > c.start OR
         (c.name GLOB 'c[0-9]-*' AND p.name GLOB 'r[0-9]-*' AND substr(c.name, 2) <> substr(p.name, 2)) LIMIT 5`,
    ),
  );
  for (const row of young) campaign.find('parent-younger-than-child', JSON.stringify(row));
}
