/**
 * `stale-socket`: something lies where a daemon binds its socket. What an earlier run left is taken away; anything else
 * is refused with a clear error and not touched.
 */
import { spawnSync } from 'node:child_process';
import { lstatSync, lchownSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { openSite, type DaemonName, type Site } from './rig/site.ts';
import { describeTrial, killAll, makeBaseline, tryStart } from './rig/trial.ts';

const OBSTACLES = [
  'leftover',
  'file',
  'link to a file',
  'link to nothing',
  'link to a socket',
  'directory',
  'fifo',
  'socket of another user',
  'live server',
] as const;
type Obstacle = (typeof OBSTACLES)[number];
/** Of users that have no account, so nobody is impersonated. */
const STRANGER_UID = 61_180;

export const staleSocket = defineFault({
  name: 'stale-socket',
  summary: 'something lies where a socket is to be bound',
  rounds: OBSTACLES.length * 3,
  quickRounds: 3,
  needs: [],
  run: async (campaign) => {
    const site = openSite(campaign);
    const baseline = await makeBaseline(campaign, site, 'killed');
    const sockets: readonly (readonly [DaemonName, string])[] = [
      ['procmond', site.paths.procmondSocket],
      ['procmond', site.paths.procmondAgentSocket],
      ['sentinelagent', site.paths.agentSocket],
    ];
    const trials = OBSTACLES.flatMap((obstacle) => sockets.map(([daemon, socket]) => ({ obstacle, daemon, socket })));
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const at = campaign.rounds >= trials.length ? (round - 1) % trials.length : campaign.random.between(0, trials.length - 1);
      const trial = trials[at];
      if (trial === undefined) continue;
      baseline.restore();
      await bindOver(campaign, site, trial.obstacle, trial.daemon, trial.socket);
      await killAll(site);
    }
  },
});

async function bindOver(campaign: Campaign, site: Site, obstacle: Obstacle, daemon: DaemonName, socket: string): Promise<void> {
  if (obstacle === 'socket of another user' && process.getuid?.() !== 0)
    return campaign.say('a socket of another user: not tried, it needs root');
  if (daemon === 'sentinelagent') await tryStart(site, 'procmond');
  const target = join(dirname(site.stateDir), 'target');
  writeFileSync(target, 'not to be touched');
  const server = await place(obstacle, socket, target);
  const before = describeFile(socket);
  const trial = await tryStart(site, daemon);
  const where = `${obstacle} at ${socket.slice(site.stateDir.length + 1)}`;
  campaign.count('trials');
  if (obstacle === 'leftover') {
    campaign.expect('leftover-not-taken', trial.kind === 'goes on' ? null : `${where}: ${describeTrial(trial)}`);
  } else {
    campaign.expect('obstacle-not-refused', trial.kind === 'refused' ? null : `${where}: ${describeTrial(trial)}`);
    campaign.expect('obstacle-unclear', trial.kind === 'refused' && trial.problem !== null ? `${where}: ${trial.problem}` : null);
    campaign.expect('obstacle-not-named', trial.kind === 'refused' && !trial.said.includes(socket) ? `${where}: ${trial.said}` : null);
    campaign.expect('obstacle-touched', describeFile(socket) === before ? null : `${where}: was ${before}, is ${describeFile(socket)}`);
  }
  campaign.expect('target-touched', readFileSync(target, 'utf8') === 'not to be touched' ? null : where);
  server?.close();
  return undefined;
}

/** Puts the obstacle there as the directory's owner would have it. */
async function place(obstacle: Obstacle, path: string, target: string): Promise<Server | null> {
  const { uid, gid } = lstatSync(dirname(path));
  const isThere = lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
  if (!isThere && (obstacle === 'leftover' || obstacle === 'socket of another user')) throw new Error(`no socket was left at ${path}`);
  if (obstacle === 'leftover') return null;
  if (obstacle === 'socket of another user') {
    lchownSync(path, STRANGER_UID, gid);
    return null;
  }
  rmSync(path, { force: true });
  const server = obstacle === 'live server' ? await listen(path) : null;
  if (obstacle === 'file') writeFileSync(path, 'a file');
  if (obstacle === 'link to a file') symlinkSync(target, path);
  if (obstacle === 'link to nothing') symlinkSync(`${target}.missing`, path);
  if (obstacle === 'link to a socket') symlinkSync('/run/none.sock', path);
  if (obstacle === 'directory') mkdirSync(path);
  if (obstacle === 'fifo') spawnSync('mkfifo', [path]);
  lchownSync(path, uid, gid);
  return server;
}

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

function describeFile(path: string): string {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status === undefined ? 'nothing' : `mode ${status.mode.toString(8)}, uid ${status.uid}, inode ${status.ino}`;
}
