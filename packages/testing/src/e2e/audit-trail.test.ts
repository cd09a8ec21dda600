import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fewRules,
  parseJson,
  removeDirectory,
  runProgram,
  startInstallation,
  temporaryDirectory,
  type Installation,
} from './installation.ts';

let directory = '';
let mirror = '';
let installation: Installation;

beforeAll(async () => {
  directory = temporaryDirectory();
  mirror = join(mkdtempSync(join(directory, 'elsewhere-')), 'checkpoints.jsonl');
  writeFileSync(mirror, '');
  installation = startInstallation(join(directory, 'state'), [
    ...fewRules(),
    '--set',
    'collection.interval=500ms',
    '--set',
    'ledger.checkpoint_entries=8',
    ...(process.getuid?.() === 0 ? [] : ['--set', `ledger.mirror=["${mirror}"]`]),
  ]);
  await installation.waitFor(/Alerts follow as they come/);
}, 90_000);
afterAll(async () => {
  await installation.stop();
  removeDirectory(directory);
});

const file = (name: string): string => join(directory, name);
const cli = (...words: readonly string[]) => installation.cli(...words);

/** The newest key of the ledger, as one line. */
function keyLine(): string {
  return cli('audit', 'key', 'export').stdout.trimEnd().split('\n').at(-1) ?? '';
}

describe('the audit trail of running daemons', () => {
  it('gives a checkpoint that others can keep, and says what is unprotected since', () => {
    const { status, stdout } = cli('audit', 'checkpoint');
    expect(`${status} ${stdout}`).toMatch(
      /^0 sentineld-ledger\/[0-9a-f-]+\n\d+\n\S+\nepoch \d+\ntime \d+\nchain \S+\n\n\u2014 sentineld-ledger\//u,
    );
    expect(cli('audit', 'status').stdout).toMatch(/checkpoint/);
    writeFileSync(file('outside.note'), stdout);
    const verified = cli('audit', 'verify', '--checkpoint', file('outside.note'));
    expect(`${verified.status} ${verified.stdout}`).toMatch(/^0 ok/);
  });

  it('is verified outside: an export and the proof of one entry, with the key and no database', () => {
    writeFileSync(file('ledger.key'), `${keyLine()}\n`);
    expect(cli('audit', 'export', '--out', file('ledger.jsonl')).status).toBe(0);
    const whole = runProgram('sentinel-verify', [file('ledger.jsonl'), '--key-file', file('ledger.key')]);
    expect(`${whole.status} ${whole.stderr}`).toBe('0 ');
    expect(cli('audit', 'prove', '3', '--out', file('entry-3.json')).status).toBe(0);
    expect(cli('audit', 'verify-proof', file('entry-3.json'), '--key', file('ledger.key')).status).toBe(0);
    expect(runProgram('sentinel-verify', [file('entry-3.json'), '--key-file', file('ledger.key')]).status).toBe(0);
    writeFileSync(file('other.json'), readFileSync(file('entry-3.json'), 'utf8').replace('"sequence":3', '"sequence":4'));
    expect(cli('audit', 'verify-proof', file('other.json'), '--key', file('ledger.key')).status).toBe(1);
  });

  it('goes on under a new key, and after what is old was archived', () => {
    const before = keyLine();
    const rotated = cli('audit', 'key', 'rotate');
    expect(`${rotated.status} ${rotated.stderr}`).toBe('0 ');
    expect(keyLine()).not.toBe(before);
    const archives = parseJson<{ path: string; entries: number }[]>(
      cli('audit', 'archive', '--before', new Date().toISOString(), '--json'),
    );
    expect(archives.map(({ entries }) => entries > 0)).toEqual([true]);
    expect(archives.map(({ path }) => runProgram('sentinel-verify', [path]).status)).toEqual([0]);
    const verified = cli('audit', 'verify', '--key', keyLine(), '--json');
    expect(parseJson(verified)).toMatchObject({ ok: true });
  });

  it('lists what was done, by whom', () => {
    const entries = parseJson<{ action: string; actor: string }[]>(cli('audit', 'log', '--action', 'key_rotate', '--json'));
    // It may have been archived with what came before it.
    expect(entries.every(({ action, actor }) => action === 'key_rotate' && actor === 'procmond')).toBe(true);
    const archives = parseJson<{ action: string }[]>(cli('audit', 'log', '--action', 'ledger_archive', '--json'));
    expect(archives.length).toBe(1);
  });
});
