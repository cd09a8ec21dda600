import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VERSION } from '@sentineld/runtime/version';

const PACKAGES = join(import.meta.dirname, '..', '..');
const BUILT = join(PACKAGES, '..', 'build', 'programs', 'sentinelcli.js');

describe.each([
  ['sentinelcli', 'sentinelcli'],
  ['procmond', 'procmond'],
  ['sentinelagent', 'sentinelagent'],
  ['ledger', 'sentinel-verify'],
])('%s/bin/%s.js', (directory, program) => {
  it('starts what is built, or says how to build it', () => {
    const launcher = join(PACKAGES, directory, 'bin', `${program}.js`);
    const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, '--version'], { encoding: 'utf8' });
    if (existsSync(join(BUILT, '..', `${program}.js`))) expect([status, stdout, stderr]).toEqual([0, `${VERSION}\n`, '']);
    else {
      expect(status).toBe(4);
      expect(stderr).toMatch(
        new RegExp(`^${program}: the programs are not built yet\n {2}there is no .*\n {2}in the checkout: npx .* build\n$`),
      );
    }
  });
});

describe('a launcher', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-launch-'));
    for (const folder of ['runtime/bin', 'sentinelcli/bin'])
      cpSync(join(PACKAGES, folder), join(directory, 'packages', folder), { recursive: true });
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const start = (...nodeArguments: readonly string[]) =>
    spawnSync(process.execPath, [...nodeArguments, join(directory, 'packages/sentinelcli/bin/sentinelcli.js'), 'a', 'b'], {
      encoding: 'utf8',
    });

  it('says in three lines how to build what is not built', () => {
    const { status, stdout, stderr } = start();
    expect([status, stdout]).toEqual([4, '']);
    expect(stderr).toBe(
      `sentinelcli: the programs are not built yet\n  there is no ${directory}/build/programs/sentinelcli.js\n  in the checkout: npx -y pnpm@12.21.0 build\n`,
    );
  });

  it('says that a Node is too old', () => {
    const old = join(directory, 'old.mjs');
    writeFileSync(old, "Object.defineProperty(process.versions, 'node', { value: '20.19.0' });");
    expect(start('--import', old)).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/^sentinelcli: Node 20\.19\.0 is too old\n {2}it needs 24 or newer\n {2}npx .* install brings one/),
    });
  });

  it('starts a program under its own path and with its words, and keeps one warning back', () => {
    mkdirSync(join(directory, 'build/programs'), { recursive: true });
    const program = join(directory, 'build/programs/sentinelcli.js');
    writeFileSync(
      program,
      "process.emitWarning('SQLite is an experimental feature'); process.emitWarning('else'); console.log(JSON.stringify(process.argv.slice(1)));",
    );
    const { status, stdout, stderr } = start();
    expect([status, JSON.parse(stdout)]).toEqual([0, [program, 'a', 'b']]);
    expect([stderr.includes('else'), stderr.includes('SQLite')]).toEqual([true, false]);
  });
});

describe.runIf(existsSync(BUILT))('the built program', () => {
  it('goes quietly when nobody reads on', () => {
    const out = execFileSync(
      '/bin/sh',
      ['-c', '"$0" "$1" --help 2>&1 | head -n 1', process.execPath, join(PACKAGES, 'sentinelcli', 'bin', 'sentinelcli.js')],
      { encoding: 'utf8' },
    );
    expect(out).toBe('sentinelcli <command> [options]\n');
  });
});
