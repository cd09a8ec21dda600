import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { statePaths, type StatePaths } from '../config/state-dir.ts';
import type { DaemonAccounts } from './accounts.ts';
import { endProgram, startProgram, type Program } from './fixtures/program.fixture.ts';
import { makeStateDirs } from './state-dirs.ts';

const isRoot = process.getuid?.() === 0;
const uid = process.getuid?.() ?? -1;
const gid = process.getgid?.() ?? -1;
const ACCOUNTS: DaemonAccounts = { collectorUid: 61_184, agentUid: 61_185, operatorsGid: 61_190, auditorsGid: 61_191, configured: true };

const MAKE = new URL('fixtures/make-dirs.fixture.ts', import.meta.url);
const programs: Program[] = [];

let directory = '';
let paths: StatePaths = statePaths('/');
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-dirs-'));
  chmodSync(directory, 0o755);
  paths = statePaths(join(directory, 'lib', 'state'));
});
afterEach(async () => {
  await Promise.all(programs.splice(0).map(endProgram));
  rmSync(directory, { recursive: true, force: true });
});

/** Mode, owner and group of each directory, by its path below the state directory. */
function table(): Record<string, string> {
  const all = [
    paths.root,
    join(paths.root, 'run'),
    paths.logDir,
    paths.eventsDir,
    paths.ledgerDir,
    paths.procmondRunDir,
    paths.agentDir,
    paths.agentRunDir,
  ];
  return Object.fromEntries(
    all.map((path) => {
      const status = lstatSync(path);
      return [relative(paths.root, path), `${(status.mode & 0o7777).toString(8)} ${status.uid}:${status.gid}`];
    }),
  );
}

function withUmask(mask: number, work: () => void): void {
  const before = process.umask(mask);
  try {
    work();
    expect(process.umask(mask)).toBe(mask);
  } finally {
    process.umask(before);
  }
}

const OWN = {
  '': `700 ${uid}:${gid}`,
  run: `700 ${uid}:${gid}`,
  log: `750 ${uid}:${gid}`,
  events: `2750 ${uid}:${gid}`,
  ledger: `2750 ${uid}:${gid}`,
  'run/procmond': `2750 ${uid}:${gid}`,
  agent: `2750 ${uid}:${gid}`,
  'run/agent': `2750 ${uid}:${gid}`,
};
const APART = {
  '': '755 0:0',
  run: '755 0:0',
  log: '750 0:0',
  events: '2750 61184:61190',
  ledger: '2750 61184:61191',
  'run/procmond': '2750 61184:61190',
  agent: '2750 61185:61190',
  'run/agent': '2750 61185:61190',
};

describe('makeStateDirs', () => {
  it.each([0o000, 0o022, 0o077])('makes everything for one user, with umask %o', (mask) => {
    withUmask(mask, () => makeStateDirs(paths, null));
    expect(table()).toEqual(OWN);
    makeStateDirs(paths, null);
    expect(table()).toEqual(OWN);
  });

  it.skipIf(!isRoot).each([0o000, 0o022, 0o077])('gives each directory its owner, with umask %o (needs root)', (mask) => {
    withUmask(mask, () => makeStateDirs(paths, ACCOUNTS));
    expect(table()).toEqual(APART);
    // The directory above is to be passed through too.
    expect(lstatSync(join(directory, 'lib')).mode & 0o777).toBe(0o755);
    makeStateDirs(paths, ACCOUNTS);
    expect(table()).toEqual(APART);
  });

  it('adds what is missing and leaves what is there', () => {
    makeStateDirs(paths, null);
    rmSync(paths.agentDir, { recursive: true });
    writeFileSync(join(paths.eventsDir, 'events.db'), 'rows');
    makeStateDirs(paths, null);
    expect(table()).toEqual(OWN);
    expect(lstatSync(join(paths.eventsDir, 'events.db')).size).toBe(4);
  });

  it('makes what is missing above it, and says at once where nothing can be made', () => {
    makeStateDirs(statePaths(join(directory, 'a/b/c')), null);
    expect(lstatSync(join(directory, 'a/b/c/run')).isDirectory()).toBe(true);
    expect(() => makeStateDirs(statePaths('/proc/nowhere/a/b'), null)).toThrow(
      expect.objectContaining({ code: 'state.unusable', message: 'the state directory /proc/nowhere/a/b cannot be made' }),
    );
  });

  function refuses(path: string, what: string, hint: string, accounts: DaemonAccounts | null = null): void {
    expect(() => makeStateDirs(paths, accounts)).toThrow(
      expect.objectContaining({
        code: 'state.unusable',
        message: `${path} ${what}`,
        hint: expect.stringContaining(hint),
        context: { path },
      }),
    );
  }

  it('refuses what is no directory, a link to one included', () => {
    makeStateDirs(paths, null);
    rmSync(paths.ledgerDir, { recursive: true });
    writeFileSync(paths.ledgerDir, '');
    refuses(paths.ledgerDir, 'is not a directory', `ls -ld ${paths.ledgerDir}`);
    rmSync(paths.ledgerDir);
    mkdirSync(join(directory, 'elsewhere'), { mode: 0o700 });
    symlinkSync(join(directory, 'elsewhere'), paths.ledgerDir);
    refuses(paths.ledgerDir, 'is not a directory', 'move it away');
    rmSync(paths.ledgerDir);
    symlinkSync(join(directory, 'nowhere'), paths.ledgerDir);
    refuses(paths.ledgerDir, 'is not a directory', 'move it away');
  });

  it('refuses a state directory that is a link', () => {
    mkdirSync(join(directory, 'lib'));
    mkdirSync(join(directory, 'elsewhere'), { mode: 0o700 });
    symlinkSync(join(directory, 'elsewhere'), paths.root);
    refuses(paths.root, 'is not a directory', 'move it away');
  });

  it.each([0o770, 0o707, 0o1777])('refuses one that others may write: %o', (mode) => {
    makeStateDirs(paths, null);
    chmodSync(paths.eventsDir, mode);
    refuses(paths.eventsDir, 'can be written by its group or by others', `chmod 2750 ${paths.eventsDir}`);
    expect(lstatSync(paths.eventsDir).mode & 0o7777).toBe(mode);
  });

  it.skipIf(!isRoot)('gives nothing away that exists: the owner must be right (needs root)', () => {
    makeStateDirs(paths, ACCOUNTS);
    chownSync(paths.agentDir, 61_184, 61_190);
    refuses(paths.agentDir, 'belongs to uid 61184, not 61185', `chown -R 61185:61190 ${paths.agentDir}`, ACCOUNTS);
    expect(lstatSync(paths.agentDir).uid).toBe(61_184);
  });

  it.skipIf(!isRoot)('refuses a state directory of an ordinary user as root, and the other way round (needs root)', () => {
    mkdirSync(paths.root, { recursive: true, mode: 0o755 });
    chownSync(paths.root, 61_200, 61_200);
    refuses(paths.root, 'belongs to uid 61200, not 0', 'chown -R 0:0', ACCOUNTS);
    refuses(paths.root, 'belongs to uid 61200, not 0', 'chown -R 0:0');
  });

  it('lets daemons start at once: none finds a directory that is half made', async () => {
    const children = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const program = startProgram(MAKE, isRoot ? ['apart'] : []);
        programs.push(program);
        expect(await program.line()).toBe('ready');
        return program;
      }),
    );
    for (let round = 0; round < 20; round++) {
      paths = statePaths(join(directory, `state-${round}`));
      const atMs = Date.now() + 5;
      for (const child of children) child.write(`${paths.root} ${atMs}`);
      expect(await Promise.all(children.map((child) => child.line()))).toEqual(['made', 'made', 'made']);
      expect(table()).toEqual(isRoot ? APART : OWN);
      expect(readdirSync(paths.root, { recursive: true })).toHaveLength(7);
    }
  });

  it('says so where nothing can be made', () => {
    writeFileSync(join(directory, 'lib'), '');
    expect(() => makeStateDirs(paths, null)).toThrow(
      expect.objectContaining({ code: 'state.unusable', message: expect.stringContaining(join(directory, 'lib')) }),
    );
  });
});
