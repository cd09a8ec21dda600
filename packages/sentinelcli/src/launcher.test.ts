import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VERSION } from '@sentineld/runtime/version';

const PACKAGES = join(import.meta.dirname, '..', '..');
const BUILT = join(PACKAGES, '..', 'build', 'programs', 'sentinelcli.js');

describe.each(['sentinelcli', 'procmond', 'sentinelagent'])('bin/%s.js', (program) => {
  it('starts what is built, or says how to build it', () => {
    const launcher = join(PACKAGES, program, 'bin', `${program}.js`);
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
