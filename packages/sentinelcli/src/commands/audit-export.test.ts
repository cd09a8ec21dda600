import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';

const VERIFIER = join(import.meta.dirname, '../../../ledger/src/verifier/main.ts');

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

type Line = { readonly type: string; readonly sequence?: number; readonly epoch?: number; readonly [name: string]: unknown };

const at = (name: string): string => join(installation.paths.root, name);
const run = (...words: string[]) => installation.run(['audit', 'export', ...words]);
const linesOf = (text: string): readonly Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** The stand-alone verifier on a text. */
function verified(text: string, key: string): { readonly status: number | null; readonly said: string } {
  writeFileSync(at('to-verify'), text);
  const words = ['--conditions=sentineld-source', VERIFIER, at('to-verify'), '--key', key];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

describe('audit export', () => {
  it('writes all that is signed, as the stand-alone verifier takes it', async () => {
    const { key } = installation.makeSignedLedger(12, { checkpoints: [3, 3, 8, 10], entries: { 8: { action: 'key_rotate' } } });
    const { status, out } = await run('--out', at('all'));
    expect([status, out]).toEqual([0, expect.stringMatching(/all: entries 1 to 10 \(10\) and 4 checkpoints, \d/)]);
    expect(statSync(at('all')).mode & 0o777).toBe(0o600);
    const text = readFileSync(at('all'), 'utf8');
    const lines = linesOf(text);
    expect(lines[0]).toMatchObject({ type: 'header', version: 1, ledger_id: 'l-1', host_id: 'h', from: 1, to: 10 });
    expect(lines.map(({ type, sequence, epoch }) => (type === 'entry' ? sequence : type === 'checkpoint' ? `c${epoch}` : type))).toEqual([
      'header',
      1,
      2,
      3,
      'c1',
      'c2',
      4,
      5,
      6,
      7,
      8,
      'c3',
      9,
      10,
      'c4',
      'end',
    ]);
    expect(lines.at(-1)).toEqual({ type: 'end', entries: 10, checkpoints: 4 });
    expect(verified(text, key)).toMatchObject({ status: 0 });
    expect(verified(text.replace('n\\":4', 'n\\":5'), key)).toMatchObject({ status: 1 });
  });

  it.each([
    ['2-4', 2, 8, true],
    ['4-', 4, 10, false],
    ['-3', 1, 3, false],
    ['9-9', 9, 10, true],
    ['4-8', 4, 8, false],
  ])('writes the part %s, widened to the next checkpoint', async (range, from, to, isWidened) => {
    const { key } = installation.makeSignedLedger(12, { checkpoints: [3, 3, 8, 10], entries: { 8: { action: 'key_rotate' } } });
    const { status, out, err } = await run(`--range=${range}`, '--out', '-');
    expect(status).toBe(0);
    expect(err.includes(`widened to entry ${to}, where the next checkpoint is`)).toBe(isWidened);
    const lines = linesOf(out);
    expect(lines[0]).toMatchObject({ from, to, start: { sequence: from - 1 } });
    expect(lines.filter(({ type }) => type === 'entry').map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: to - from + 1 }, (_, index) => from + index),
    );
    // A part after the rotation is signed by the key that was announced before it.
    const signer =
      from > 8 ? String((JSON.parse((await installation.run(['audit', 'key', 'export', '--json'])).out) as Line[])[1]?.['key']) : key;
    expect(verified(out, signer)).toMatchObject({ status: 0 });
  });

  it('goes on from the seal, and names the archive for what is before', async () => {
    const { key, hashes } = installation.makeSignedLedger(12, { checkpoints: [5, 9, 12] });
    installation.changeDatabase(
      installation.paths.ledgerDb,
      `INSERT INTO audit_seal SELECT 1, 5, 1, x'${hashes[4] ?? ''}', tree_range, 'l-1', 'h', '${JSON.stringify([{ key, first_epoch: 1 }])}'
         FROM audit_checkpoint WHERE epoch = 1;
       DELETE FROM audit_ledger WHERE sequence <= 5`,
    );
    const { out } = await run('--out', '-');
    expect(linesOf(out)[0]).toMatchObject({ from: 6, to: 12 });
    expect(verified(out, key)).toMatchObject({ status: 0 });
    expect((await run('--range=3-', '--out', '-')).err).toContain('entry 3 is not in the ledger any more\n  entries up to 5 were archived');
  });

  it.each(['', '--range=2-', '--range=4-'])('begins in the entries of an earlier release: %s', async (range) => {
    const { key } = installation.makeSignedLedger(9, { signedFrom: 4, checkpoints: [6, 9] });
    const { status, out } = await run(...(range === '' ? [] : [range]), '--out', '-');
    expect(status).toBe(0);
    expect(verified(out, key)).toMatchObject({ status: 0 });
  });

  it('writes nothing where nothing is signed', async () => {
    installation.makeLedger(3);
    const { status, err } = await run('--out', '-');
    expect([status, err.split('\n').slice(0, 2)]).toEqual([
      2,
      ['sentinelcli: no checkpoint covers entry 1 yet', '  nothing of the ledger is signed'],
    ]);
  });

  it.each([
    [
      'an entry was changed',
      "UPDATE audit_ledger SET actor = 'x' WHERE sequence = 4",
      'does not have the root that its checkpoint of epoch 2',
    ],
    ['an entry is missing', 'DELETE FROM audit_ledger WHERE sequence = 4', 'Entry 4 is not in the ledger.'],
    ['a checkpoint is missing', 'DELETE FROM audit_checkpoint WHERE epoch = 2', 'The checkpoint of epoch 2 is not in the ledger.'],
  ])('leaves no file where %s', async (_, sql, what) => {
    installation.makeSignedLedger(9, { checkpoints: [3, 6, 9] });
    installation.changeDatabase(installation.paths.ledgerDb, sql);
    const { status, err } = await run('--out', at('part'));
    expect([status, existsSync(at('part')), readdirSync(installation.paths.root).filter((name) => name.endsWith('.part'))]).toEqual([
      4,
      false,
      [],
    ]);
    expect(err).toContain(what);
  });

  it('is recorded', async () => {
    installation.makeSignedLedger(4, { checkpoints: [4] });
    const appended = await installation.serve('procmond', { 'audit.append': {} });
    await run('--out', at('x'));
    expect(appended).toMatchObject([
      { action: 'query_execute', data: { export: ['audit_ledger'], from: 1, to: 4, outcome: 'ok', rows: 4 } },
    ]);
  });
});
