/**
 * `newer`: each database in turn was written by a newer release. Its writer must refuse it with a clear error and leave
 * it alone; the other daemon and the readers go on or say so.
 */
import { defineFault, type Campaign } from './rig/campaign.ts';
import { withDatabase } from './rig/evidence.ts';
import { finish } from './rig/programs.ts';
import { toolProblem } from './rig/refusal.ts';
import { openSite, type DaemonName, type Site } from './rig/site.ts';
import { describeTrial, digestOf, killAll, makeBaseline, tryStart } from './rig/trial.ts';

export const newer = defineFault({
  name: 'newer',
  summary: 'a database of a newer release: refused, left alone',
  rounds: 6,
  quickRounds: 3,
  needs: [],
  run: async (campaign) => {
    const site = openSite(campaign);
    const baseline = await makeBaseline(campaign, site, 'killed');
    const databases: readonly (readonly [DaemonName, string])[] = [
      ['procmond', site.paths.eventsDb],
      ['procmond', site.paths.ledgerDb],
      ['sentinelagent', site.paths.agentDb],
    ];
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const [writer, database] = databases[(round - 1) % databases.length] ?? ['procmond', site.paths.eventsDb];
      baseline.restore();
      await refuseNewer(campaign, site, writer, database);
      await killAll(site);
    }
  },
});

async function refuseNewer(campaign: Campaign, site: Site, writer: DaemonName, database: string): Promise<void> {
  const version = campaign.random.between(50, 10_000);
  await setVersion(database, version);
  const before = digestOf(database);
  const trial = await tryStart(site, writer);
  const name = database.slice(database.lastIndexOf('/') + 1);
  campaign.count('refusals', trial.kind === 'refused' ? 1 : 0);
  campaign.expect(
    'newer-not-refused',
    trial.kind === 'refused' ? trial.problem : `${writer} on a ${name} of version ${version}: ${describeTrial(trial)}`,
  );
  campaign.expect('newer-unclear', trial.kind === 'refused' && !trial.said.includes(String(version)) ? `${writer}: ${trial.said}` : null);
  campaign.expect(
    'newer-changed',
    digestOf(database) === before ? null : `${name} was refused and is not what it was: ${describeTrial(trial)}`,
  );
  for (const words of [['health'], ['alerts', 'list'], ['query', 'SELECT count(*) FROM processes']]) {
    const finished = await site.operator(...words);
    campaign.expect('cli-bug', toolProblem(words, finished));
    if (words[0] === 'query')
      campaign.expect('newer-unreadable', finished.status === 0 ? null : `operators cannot read events.db after ${writer} refused ${name}`);
  }
  // Last: a reader with root's rights would set up again what operators lack.
  const found = withDatabase(database, (all) => Number(all('PRAGMA user_version')[0]?.['user_version']));
  campaign.expect('newer-overwritten', found === version ? null : `${name} has version ${found} now`);
}

/** In the log of writes, by a process that then dies, as a release that was killed would leave it. */
async function setVersion(database: string, version: number): Promise<void> {
  const script = `import { DatabaseSync } from 'node:sqlite';
    new DatabaseSync(process.argv[1]).exec('PRAGMA user_version = ' + process.argv[2]);
    process.kill(process.pid, 'SIGKILL');`;
  await finish(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, database, String(version)]);
}
