/**
 * `truncated`: databases and their logs that are cut, emptied, overwritten or missing. The writer refuses with a clear
 * error and leaves the file as it is, or goes on; nobody crashes, and a ledger that lost entries does not verify.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerWitness } from '@sentineld/ledger/verify';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { newestWitness } from './rig/evidence.ts';
import { examineLedger } from './rig/ledger-evidence.ts';
import { toolProblem } from './rig/refusal.ts';
import { openSite, type DaemonName, type Site } from './rig/site.ts';
import { describeTrial, digestOf, killAll, makeBaseline, tryStart, type Trial } from './rig/trial.ts';

const DAMAGES = ['cut', 'cut log', 'empty', 'empty without log', 'header', 'page', 'no log', 'shared memory', 'gone'] as const;
type Damage = (typeof DAMAGES)[number];
const PAGE_BYTES = 4096;

export const truncated = defineFault({
  name: 'truncated',
  summary: 'databases that are cut, emptied, overwritten or gone',
  rounds: 81,
  quickRounds: 3,
  needs: [],
  run: async (campaign) => {
    const site = openSite(campaign);
    const baseline = await makeBaseline(campaign, site, 'killed');
    const witness = newestWitness(site);
    const heads: readonly LedgerWitness[] = witness === null ? [] : [{ name: "the agent's file", head: witness }];
    const targets: readonly (readonly [DaemonName, string])[] = [
      ['procmond', site.paths.eventsDb],
      ['procmond', site.paths.ledgerDb],
      ['sentinelagent', site.paths.agentDb],
    ];
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const [writer, database] = targets[(round - 1) % targets.length] ?? ['procmond', site.paths.eventsDb];
      // One after the other where there are rounds for all; quickly, any.
      const next = Math.floor((round - 1) / targets.length) % DAMAGES.length;
      const damage = campaign.quick ? campaign.random.pick(DAMAGES) : (DAMAGES[next] ?? 'cut');
      baseline.restore();
      await startDamaged(campaign, site, writer, database, damage, heads);
      await killAll(site);
    }
  },
});

async function startDamaged(
  campaign: Campaign,
  site: Site,
  writer: DaemonName,
  database: string,
  damage: Damage,
  heads: readonly LedgerWitness[],
): Promise<void> {
  if (writer === 'sentinelagent') await tryStart(site, 'procmond');
  const detail = inflict(campaign, database, damage);
  const before = digestOf(database);
  const trial = await tryStart(site, writer);
  const where = `${database.slice(site.stateDir.length + 1)}: ${detail}`;
  campaign.count(trial.kind === 'refused' ? 'refused' : 'went on');
  campaign.say(`${where}: ${describeTrial(trial).slice(0, 160)}`);
  campaign.expect('damage-hangs', trial.kind === 'hangs' ? `${where}: ${trial.said}` : null);
  if (trial.kind === 'refused') {
    campaign.expect('damage-unclear', trial.problem === null ? null : `${where}: ${trial.problem}`);
    campaign.expect(
      'damage-changed',
      digestOf(database) === before ? null : `${where}: refused, and the file or its log is not what it was`,
    );
  } else {
    await watchGoingOn(campaign, site, database, damage, where, trial, heads);
  }
  for (const words of [['health'], ['alerts', 'list'], ['query', 'SELECT count(*) FROM processes']]) {
    campaign.expect('cli-bug', prefixed(where, toolProblem(words, await site.operator(...words))));
  }
  campaign.expect('stack-trace', prefixed(where, site.stackTrace('newest')));
}

/** What goes on must go on for a while; a ledger that has lost what was acknowledged must not verify. */
async function watchGoingOn(
  campaign: Campaign,
  site: Site,
  database: string,
  damage: Damage,
  where: string,
  trial: Trial,
  heads: readonly LedgerWitness[],
): Promise<void> {
  await sleep(1_200);
  for (const name of ['procmond', 'sentinelagent'] as const) {
    const ended = site.running(name) === null && (name === 'procmond' || database === site.paths.agentDb);
    campaign.expect('damage-ends-later', ended ? `${where}: ${name}: ${site.lastWords(name)}` : null);
  }
  const hadLog = damage === 'empty' || damage === 'gone';
  campaign.expect('log-destroyed', hadLog ? `${where}: goes on with a new file, and what only the log still had is gone` : null);
  if (trial.kind === 'goes on' && trial.state === 'failing') campaign.count('went on and say that they fail');
  if (database !== site.paths.ledgerDb) return;
  const { problems } = await examineLedger(database, heads);
  const { status, stdout } = await site.cli('audit', 'verify');
  const hidden = problems.length > 0 && status === 0;
  campaign.count('ledgers with losses', problems.length > 0 ? 1 : 0);
  campaign.expect(
    'ledger-loss-unnoticed',
    hidden ? `${where}: ${problems[0]?.detail ?? ''}, and audit verify says ${stdout.slice(0, 100)}` : null,
  );
}

/** Does the damage and says what it was. */
function inflict(campaign: Campaign, database: string, damage: Damage): string {
  const { random } = campaign;
  const log = `${database}-wal`;
  const size = statSync(database).size;
  switch (damage) {
    case 'cut': {
      const left = random.between(1, size - 1);
      truncateSync(database, left);
      return `cut to ${left} of ${size} bytes`;
    }
    case 'cut log': {
      const left = random.between(1, statSync(log).size - 1);
      truncateSync(log, left);
      return `log cut to ${left} of its bytes`;
    }
    case 'empty':
      truncateSync(database, 0);
      return 'empty, its log is there';
    case 'empty without log':
      truncateSync(database, 0);
      removeBeside(database, ['-wal', '-shm']);
      return 'empty, without a log';
    case 'header':
      emptyLog(database);
      overwrite(database, 0, random.bytes(100));
      return 'header overwritten';
    case 'page': {
      emptyLog(database);
      const page = random.between(1, statSync(database).size / PAGE_BYTES - 1);
      overwrite(database, page * PAGE_BYTES, random.bytes(PAGE_BYTES));
      return `page ${page + 1} overwritten`;
    }
    case 'no log':
      removeBeside(database, ['-wal']);
      return 'its log is gone';
    case 'shared memory':
      overwrite(`${database}-shm`, 0, random.bytes(512));
      return 'shared memory overwritten';
    case 'gone':
      rmSync(database);
      return 'gone, its log is there';
  }
}

/** Moves everything into the database first: what is damaged there would be read from the log. */
function emptyLog(database: string): void {
  const script = `import { DatabaseSync } from 'node:sqlite';
    new DatabaseSync(process.argv[1]).exec('PRAGMA wal_checkpoint(TRUNCATE)');
    process.kill(process.pid, 'SIGKILL');`;
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, database]);
}

function overwrite(path: string, at: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

function removeBeside(database: string, endings: readonly string[]): void {
  for (const ending of endings) if (existsSync(`${database}${ending}`)) rmSync(`${database}${ending}`);
}

function prefixed(where: string, problem: string | null): string | null {
  return problem === null ? null : `${where}: ${problem}`;
}
