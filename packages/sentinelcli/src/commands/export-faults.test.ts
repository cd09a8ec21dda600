import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';

const MAIN = join(import.meta.dirname, '..', 'main.ts');
/** A mount that nobody else sees, and that is gone with the program. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
if (!canMount) console.log('not run: this user may not mount a small file system (unshare -rm)');

let installation: Installation;
let directory = '';
beforeAll(() => {
  installation = createInstallation();
  const processes = Array.from({ length: 3000 }, (_, at) => ({ pid: at + 1, name: `p${at}`, argv: ['x'.repeat(200)] }));
  installation.makeHistory([{ atMs: NOW_MS, processes }]);
  directory = mkdtempSync(join(tmpdir(), 'sentineld-export-'));
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await installation.close();
});

/** The program as it is started, in a shell; `$export` stands for the command. */
function shell(
  script: string,
  wrapper: readonly string[] = [],
): { readonly status: number | null; readonly out: string; readonly err: string } {
  const node = `'${process.execPath}' --conditions=sentineld-source --disable-warning=ExperimentalWarning '${MAIN}'`;
  const command = script.replaceAll('$export', `${node} --state-dir '${installation.paths.root}' export`);
  const [program, ...words] = [...wrapper, '/bin/bash', '-c', command] as const;
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 1e8 });
  return { status, out: stdout, err: stderr };
}

describe('export', () => {
  it.runIf(canMount)('says that the disk is full, and leaves nothing on it', () => {
    for (const format of ['csv', 'sqlite']) {
      const { status, out, err } = shell(
        `mount -t tmpfs -o size=256k tmpfs '${directory}' && { $export --format ${format} --table processes --output '${directory}/x'; echo "$? $(ls -A '${directory}')"; }`,
        ['unshare', '-rm'],
      );
      expect([format, status, out]).toEqual([format, 0, '4 \n']);
      expect(err).toContain(
        `sentinelcli: ${directory}/x cannot be written\n  the disk is full\n  make room or give another place; nothing was left behind\n`,
      );
    }
  });

  it('goes quietly where nobody reads on', () => {
    const { out, err } = shell('$export --format jsonl | head -n 1; echo "${PIPESTATUS[0]}"');
    expect(out.split('\n').map((line) => line.slice(0, 5))).toEqual(['{"id"', '0', '']);
    expect(err.replace(/^not recorded in the ledger: .*\n$/, '')).toBe('');
  });

  it('says that standard output takes no more', () => {
    expect(shell('$export --format jsonl > /dev/full')).toMatchObject({
      status: 4,
      out: '',
      err: expect.stringContaining('sentinelcli: standard output cannot be written\n  the disk is full\n'),
    });
  });
});
