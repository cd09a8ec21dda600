/**
 * `hostile`: processes that lie about themselves, in their name, arguments, executable, directory, owner and namespaces,
 * and secrets in arguments. What operators are told of each is held against what is true; no secret is written anywhere.
 */
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildProgram } from './rig/compiled.ts';
import { eventually } from './rig/eventually.ts';
import { examine, withDatabase } from './rig/evidence.ts';
import { startHelper } from './rig/helper.ts';
import { residentBytes } from './rig/processes.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { toolProblem } from './rig/refusal.ts';
import { createSecrets, leaksIn, SECRET_SETTINGS } from './rig/secrets.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';
import { populate, type Creature } from './rig/zoo.ts';

const PATIENCE_MS = 20_000;
const MOST_GROWTH_BYTES = 64 * 1024 * 1024;
const EXEC_LOOP_MS = 4_000;

type Row = Readonly<Record<string, unknown>>;

export const hostile = defineFault({
  name: 'hostile',
  summary: 'processes that lie about themselves, and secrets in arguments',
  rounds: 5,
  quickRounds: 1,
  needs: ['gcc'],
  world: 'host pids',
  run: async (campaign) => {
    const program = buildProgram(campaign.cleanup, 'strange');
    const logDir = temporaryDirectory(campaign.cleanup);
    const site = openSite(campaign, { logDir, settings: SECRET_SETTINGS });
    const secrets = createSecrets(campaign, program);
    const judgeSecrets = (): void => {
      for (const leak of leaksIn([site.stateDir, logDir], secrets.all())) campaign.find('secret-written', leak);
    };
    await settled(site);
    const before = residentBytes(site.part('procmond')?.pid ?? 0);
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const planted = await secrets.plant();
      const creatures = await populate(campaign, program);
      await secrets.flash();
      await judgeExecLoop(campaign, site, program);
      await scansMore(site, 3);
      await judgeCreatures(campaign, site, creatures);
      await judgeTerminal(campaign, site, creatures);
      for (const helper of [...planted, ...creatures.map((one) => one.helper)]) await helper.end();
    }
    const grown = residentBytes(site.part('procmond')?.pid ?? 0) - before;
    campaign.most('MiB that procmond grew', Math.round(grown / 1_048_576));
    campaign.expect('grows', grown > MOST_GROWTH_BYTES ? `procmond grew by ${Math.round(grown / 1_048_576)} MiB` : null);
    await scansMore(site, 2);
    const said = [await site.procmond(), await site.agent()].map((health) => health?.state ?? 'no answer');
    campaign.expect('health-wrong', said.includes('failing') || said.includes('no answer') ? said.join(' / ') : null);
    await eventually(PATIENCE_MS, async () => (await site.agent())?.auditWaiting === 0);
    campaign.count('secrets', secrets.all().length);
    judgeEvents(campaign, site, program);
    judgeSecrets();
    await site.stop();
    // The logs of writes were moved into the databases meanwhile.
    judgeSecrets();
    await examine(campaign, site, []);
    campaign.expect('stack-trace', site.stackTrace());
  },
});

async function judgeCreatures(campaign: Campaign, site: Site, creatures: readonly Creature[]): Promise<void> {
  const pids = creatures.map(({ pid }) => pid).join(', ');
  const finished = await site.operator('query', '--json', `SELECT * FROM processes WHERE pid IN (${pids})`);
  campaign.expect('cli-bug', toolProblem(['query'], finished));
  if (finished.status !== 0) return campaign.find('not-readable', finished.stderr.slice(0, 300));
  const rows = JSON.parse(finished.stdout) as readonly Row[];
  for (const creature of creatures) {
    const row = rows.find(({ pid }) => pid === creature.pid);
    if (row === undefined) campaign.find('not-seen', `${creature.name}: pid ${creature.pid} is not in the newest scan`);
    else judgeRow(campaign, creature, row);
  }
  return undefined;
}

function judgeRow(campaign: Campaign, { name, columns, data = {}, unseen = [] }: Creature, row: Row): void {
  const told = JSON.parse(String(row['platform_data'])) as Row & { readonly unseen: readonly { readonly field: string }[] };
  const isRight = (column: string, truth: unknown, value: unknown): void => {
    const given: unknown = column === 'command_line' && typeof value === 'string' ? JSON.parse(value) : value;
    if (JSON.stringify(given) === JSON.stringify(truth)) return;
    campaign.find(
      `wrong: ${column}`,
      `${name}: ${JSON.stringify(given)?.slice(0, 200) ?? 'no such column'}, in truth ${JSON.stringify(truth)}`,
    );
  };
  for (const [column, truth] of Object.entries(columns)) isRight(column, truth, row[column]);
  for (const [key, truth] of Object.entries(data)) isRight(key, truth, told[key]);
  const fields = told.unseen.map(({ field }) => field);
  isRight('unseen', unseen, fields);
  campaign.count('descriptions held against the truth');
}

/** On a terminal nothing of a name or an argument may be more than text. */
async function judgeTerminal(campaign: Campaign, site: Site, creatures: readonly Creature[]): Promise<void> {
  const pids = creatures.map(({ pid }) => pid).join(', ');
  const words = ['query', '--table', `SELECT pid, name, exe_path, cmdline FROM processes WHERE pid IN (${pids})`];
  const { stdout, stderr } = await site.operator(...words);
  const control = /[^\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]/u.exec(`${stdout}${stderr}`);
  campaign.expect('raw-on-terminal', control === null ? null : `U+${control[0].codePointAt(0)?.toString(16) ?? ''} as it is`);
  const lines = stdout.split('\n').length;
  campaign.expect('line-broken', lines > creatures.length + 8 ? `${lines} lines for ${creatures.length} rows` : null);
}

/** One process that calls exec all the time stays one process. */
async function judgeExecLoop(campaign: Campaign, site: Site, program: string): Promise<void> {
  const helper = startHelper(campaign, program, ['again', String(monotonicMs() + EXEC_LOOP_MS), '0']);
  const execs = Number(await helper.answer('execs'));
  await helper.answer('ready');
  campaign.count('execs of one process', execs);
  await scansMore(site, 1);
  const { pid, startTicks } = helper.process;
  const [identities] = withDatabase(site.paths.eventsDb, (all) =>
    all(
      `SELECT count(DISTINCT json_extract(platform_data, '$.start_ticks')) AS n, min(json_extract(platform_data, '$.start_ticks')) AS ticks
       FROM process_snapshots WHERE pid = ? AND exe_path = ?`,
      pid,
      program,
    ),
  );
  const isOne = identities?.['n'] === 1 && identities['ticks'] === startTicks;
  campaign.expect('exec-changes-identity', isOne ? null : `pid ${pid}: ${JSON.stringify(identities)}, in truth started at ${startTicks}`);
  await helper.end();
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** Where there are events: each names what ran, and an argument that was too long does not end the stream. */
function judgeEvents(campaign: Campaign, site: Site, program: string): void {
  withDatabase(site.paths.eventsDb, (all) => {
    const [tier] = all('SELECT events_tier AS tier FROM coverage ORDER BY scan_id DESC LIMIT 1');
    if (tier?.['tier'] !== 'kernel') return campaign.say(`events: ${String(tier?.['tier'])}, so none are held against the truth`);
    const [execs] = all(
      "SELECT count(*) AS n, sum(redacted > 0) AS redacted FROM process_events WHERE event = 'exec' AND exe_path = ?",
      program,
    );
    campaign.count('events of execs', Number(execs?.['n']));
    campaign.expect('no-events', Number(execs?.['n']) > 0 ? null : 'the tier is kernel, and there is no event of any of these processes');
    return undefined;
  });
}
