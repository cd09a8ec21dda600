/**
 * `read-only`: the state directory, or a part of it, cannot be written. Whoever would write there says so with a clear
 * error and status 4; readers go on or say why not; after it can be written again everything works.
 */
import { join } from 'node:path';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { examine } from './rig/evidence.ts';
import { bindReadOnly, mountTmpfs, remount } from './rig/private-world.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { toolProblem } from './rig/refusal.ts';
import { DAEMONS, openSite, type DaemonName, type Site } from './rig/site.ts';
import { describeTrial, killAll, tryStart } from './rig/trial.ts';

const SIZE_KIB = 24 * 1024;
const PARTS: readonly (readonly [directory: string, writers: readonly DaemonName[]])[] = [
  ['', ['procmond', 'sentinelagent']],
  ['events', ['procmond']],
  ['ledger', ['procmond']],
  ['agent', ['sentinelagent']],
  ['run', ['procmond', 'sentinelagent']],
];

export const readOnly = defineFault({
  name: 'read-only',
  summary: 'the state directory, or a part of it, is on a read-only file system',
  rounds: 10,
  quickRounds: 2,
  needs: ['root'],
  run: async (campaign) => {
    const root = join(temporaryDirectory(campaign.cleanup), 's');
    mountTmpfs(root, SIZE_KIB, campaign.cleanup);
    const site = openSite(campaign, { stateDir: root });
    for (const end of ['stopped', 'killed'] as const) {
      for (let round = 1; round <= Math.ceil(campaign.rounds / 2); round++) {
        campaign.begin(round);
        const [part, writers] = PARTS[(round - 1) % PARTS.length] ?? ['', DAEMONS];
        if ((await site.settle()) === null)
          throw new Error(`the daemons do not work: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}`);
        await (end === 'stopped' ? site.stop() : killAll(site));
        await refuseReadOnly(campaign, site, part, writers, `${part === '' ? 'all' : part} read-only after the daemons were ${end}`);
      }
    }
    if ((await site.settle()) === null) campaign.find('does-not-recover', DAEMONS.map((name) => site.lastWords(name)).join(' / '));
    await site.stop();
    await examine(campaign, site, []);
  },
});

async function refuseReadOnly(campaign: Campaign, site: Site, part: string, writers: readonly DaemonName[], what: string): Promise<void> {
  const undo = makeReadOnly(site.stateDir, part);
  try {
    for (const name of DAEMONS) {
      // The agent that waits for a procmond which cannot run shows nothing.
      if (name === 'sentinelagent' && !writers.includes(name)) continue;
      const trial = await tryStart(site, name);
      campaign.count('trials');
      campaign.say(`${what}: ${name}: ${describeTrial(trial).slice(0, 150)}`);
      if (writers.includes(name)) {
        campaign.expect('read-only-not-refused', trial.kind === 'refused' ? null : `${what}: ${name}: ${describeTrial(trial)}`);
        campaign.expect('read-only-unclear', trial.kind === 'refused' && trial.problem !== null ? `${what}: ${trial.problem}` : null);
      } else if (name === 'procmond') {
        campaign.expect('read-only-stops-others', trial.kind === 'goes on' ? null : `${what}: ${name}: ${describeTrial(trial)}`);
      }
    }
    for (const words of [['health'], ['alerts', 'list'], ['query', 'SELECT count(*) FROM processes']]) {
      const problem = toolProblem(words, await site.operator(...words));
      campaign.expect('cli-bug', problem === null ? null : `${what}: ${problem}`);
    }
    campaign.expect('stack-trace', site.stackTrace());
  } finally {
    await killAll(site);
    undo();
  }
}

/** The whole file system, or one directory through a mount of its own. */
function makeReadOnly(root: string, part: string): () => void {
  if (part === '') {
    remount(root, 'ro');
    return () => remount(root, 'rw');
  }
  return bindReadOnly(join(root, part));
}
