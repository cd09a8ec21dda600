import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fewRules,
  removeDirectory,
  ROOT,
  startInstallation,
  temporaryDirectory,
  type Finished,
  type Installation,
} from './installation.ts';

const isRoot = process.getuid?.() === 0;
/** No account has it, and it is in no group but the one it is given. */
const STRANGER = 65_533;

let directory = '';
let installation: Installation;

beforeAll(async () => {
  if (!isRoot) return;
  directory = temporaryDirectory();
  // Where the checkout lies others may not pass.
  copyFileSync(process.execPath, join(directory, 'node'));
  chmodSync(join(directory, 'node'), 0o755);
  cpSync(join(ROOT, 'build', 'programs'), join(directory, 'programs'), { recursive: true });
  installation = startInstallation(join(directory, 'state'), [...fewRules(), '--set', 'collection.interval=500ms']);
  await installation.waitFor(/Alerts follow as they come/);
}, 90_000);
afterAll(async () => {
  if (!isRoot) return;
  await installation.stop();
  removeDirectory(directory);
});

function runAs(uid: number, gid: number, ...words: readonly string[]): Finished {
  const { status, stdout, stderr } = spawnSync(join(directory, 'node'), ['--disable-warning=ExperimentalWarning', ...words], {
    uid,
    gid,
    encoding: 'utf8',
    cwd: '/',
    env: { NO_COLOR: '1', PATH: '/usr/bin:/bin' },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

const cliAs = (uid: number, gid: number, ...words: readonly string[]): Finished =>
  runAs(uid, gid, join(directory, 'programs', 'sentinelcli.js'), '--state-dir', join(directory, 'state'), ...words);

/** What opening the file gives to this user: 'opened', or the errno. */
function openingAs(uid: number, gid: number, path: string, flags: string): string {
  const script = `try { require('fs').openSync(process.argv[1], process.argv[2]); console.log('opened'); } catch (e) { console.log(e.code); }`;
  return runAs(uid, gid, '-e', script, path, flags).stdout.trim();
}

describe.skipIf(!isRoot)('the ledger of running daemons (needs root)', () => {
  it('is verified by an operator of the auditors group who cannot write it', () => {
    const ledger = join(directory, 'state', 'ledger', 'ledger.db');
    const { gid } = statSync(ledger);
    const { status, stdout, stderr } = cliAs(STRANGER, gid, 'audit', 'verify');
    expect(`${status} ${stdout.split('\n')[0]} ${stderr}`).toMatch(/^0 ok: \d+ entries hold/);
    const files = [ledger, `${ledger}-wal`, `${ledger}-shm`, join(directory, 'state', 'ledger', 'new')];
    expect(files.map((file) => openingAs(STRANGER, gid, file, file.endsWith('new') ? 'wx' : 'r+'))).toEqual(files.map(() => 'EACCES'));
    expect(openingAs(STRANGER, gid, join(directory, 'state', 'ledger', 'key'), 'r')).toBe('EACCES');
  });

  it('is closed to the agent, which can neither read it nor hold a lock on it', () => {
    const ledger = join(directory, 'state', 'ledger', 'ledger.db');
    const agent = statSync(join(directory, 'state', 'agent', 'agent.db'));
    const files = [ledger, `${ledger}-wal`, `${ledger}-shm`];
    expect(files.map((file) => openingAs(agent.uid, agent.gid, file, 'r'))).toEqual(files.map(() => 'EACCES'));
    expect(agent.uid).not.toBe(statSync(ledger).uid);
  });

  it('is closed to everybody else, who is told whose group it takes', () => {
    const { status, stderr } = cliAs(STRANGER, STRANGER, 'audit', 'verify');
    expect(status).toBe(4);
    expect(stderr).toMatch(/group/);
  });
});
