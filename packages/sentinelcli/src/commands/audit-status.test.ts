import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';
import { noteOf, signerOf } from '../fixtures/ledger.ts';

let installation: Installation;
let mirror = '';
beforeEach(() => {
  installation = createInstallation();
  mirror = join(installation.paths.root, 'mirror.jsonl');
});
afterEach(() => installation.close());

type Status = {
  readonly unprotected: { readonly entries: number; readonly since: number | null };
  readonly contradictions: readonly { readonly why: string; readonly excused: boolean; readonly signed: boolean }[];
  readonly outside: readonly {
    readonly name: string;
    readonly failure: string | null;
    readonly newest: { readonly epoch: number } | null;
  }[];
};

const run = (...words: string[]) => installation.run(['audit', 'status', '--set', `ledger.mirror=["${mirror}"]`, ...words]);
const statusOf = async (): Promise<Status> => JSON.parse((await run('--json')).out) as Status;
const mirrored = (...notes: (string | undefined)[]): void =>
  appendFileSync(mirror, notes.map((note) => `${JSON.stringify({ seen: NOW_MS, note })}\n`).join(''));
/** A checkpoint with something else in it, signed by a key. */
const changed = (note: string, fields: object, seed = 1): string =>
  noteOf({ ...parseCheckpoint(note).checkpoint, ...fields }, signerOf(seed));

describe('audit status', () => {
  it('shows what is signed, what is known outside, and how wide the window between is', async () => {
    const { notes } = installation.makeSignedLedger(12, { checkpoints: [4, 4, 9] });
    installation.makeAgent([]);
    mirrored(notes[0], notes[1]);
    const { status, out } = await run();
    expect(status).toBe(0);
    const text = out.replaceAll(/\n {2,}/g, ' ');
    expect(text).toContain('entries      12, the newest 10 min ago\n');
    expect(text).toContain('checkpoint   epoch 3, 9 entries, 10 min ago; 3 entries since\n');
    expect(text).toMatch(new RegExp(`key +${signerOf(1).key.id}, from epoch 1 on \\(entry 1, `));
    expect(text).toContain('archives     none\n');
    expect(out).toContain("the agent's file: no checkpoint of this ledger");
    expect(text).toContain('unprotected  8 entries, 10 min: what came after the newest checkpoint outside');
    expect(text).toContain('A checkpoint on this host is only as safe as its file');
    expect(out.split('\n').every((line) => line.length <= 80 || line.includes(installation.paths.root))).toBe(true);
    expect(await statusOf()).toMatchObject({ outside: [{ name: mirror, newest: { epoch: 2 } }, {}], unprotected: { entries: 8 } });
  });

  it('takes what the agent has seen', async () => {
    const { notes } = installation.makeSignedLedger(5, { checkpoints: [5] });
    installation.makeAgent([]);
    installation.changeDatabase(
      installation.paths.agentDb,
      `INSERT INTO ledger_checkpoint_seen VALUES (1, 5, 0, '${notes[0] ?? ''}', ${NOW_MS})`,
    );
    expect(await statusOf()).toMatchObject({ outside: [{}, { newest: { epoch: 1 } }], unprotected: { entries: 0 } });
  });

  it('says that nobody outside knows anything', async () => {
    installation.makeSignedLedger(3, { checkpoints: [2] });
    const { status, out } = await run();
    expect(status).toBe(0);
    expect(out).toContain(`${mirror}: there is no such file or directory`);
    expect(out).toContain("the agent's file: nothing recorded yet: there is no agent.db");
    expect(out).toContain('all 3 entries: nobody outside knows a checkpoint of this ledger');
  });

  it.each([
    [
      'more entries than the ledger has',
      (note: string) => changed(note, { treeSize: 9 }),
      'covers 9 entries, and the ledger ends with 5',
      true,
    ],
    ['a later epoch', (note: string) => changed(note, { epoch: 7 }), 'closes epoch 7, and the ledger has closed 2', true],
    ['another tree', (note: string) => changed(note, { rootHash: Buffer.alloc(32) }), 'has another tree at the end of epoch 2', true],
    ['another tree, by another key', (note: string) => changed(note, { rootHash: Buffer.alloc(32) }, 9), 'another tree', false],
  ])('is told by %s, with status 1', async (_, make, why, signed) => {
    const { notes } = installation.makeSignedLedger(5, { checkpoints: [2, 5] });
    mirrored(notes[0], make(notes[1] ?? ''));
    const { status, out } = await run();
    expect(status).toBe(1);
    expect(out).toContain('CONTRADICTED by what is known outside');
    const { contradictions, unprotected } = await statusOf();
    expect(contradictions).toMatchObject([{ why: expect.stringContaining(why), signed, excused: false }]);
    // What contradicts protects nothing.
    expect(unprotected.entries).toBe(3);
    expect(out.replaceAll(/\s+/g, ' ').includes('no key of this ledger signed it')).toBe(!signed);
  });

  it('takes a mirror of another ledger alone for a contradiction, and one of both for none', async () => {
    const { notes } = installation.makeSignedLedger(5, { checkpoints: [5] });
    mirrored(changed(notes[0] ?? '', { origin: 'sentineld-ledger/l-2', treeSize: 90 }));
    expect((await statusOf()).contradictions).toMatchObject([{ why: expect.stringContaining('of another ledger') }]);
    mirrored(notes[0]);
    expect((await run()).status).toBe(0);
  });

  it('is satisfied where a restore gave the checkpoint up', async () => {
    const gone = (note: string): string => changed(note, { treeSize: 9, epoch: 4, timestampMs: NOW_MS - 700_000 });
    const restore = { reason: 'disk', uid: 0, abandoned: [{ epoch: 4, tree_size: 9, root: '00' }] };
    const { notes } = installation.makeSignedLedger(5, {
      checkpoints: [2, 4],
      entries: { 4: { action: 'ledger_restore', data: restore } },
    });
    mirrored(gone(notes[0] ?? ''));
    const { status, out } = await run();
    expect([status, out.includes('1 contradiction is explained by a recorded restore')]).toEqual([0, true]);
    expect(await statusOf()).toMatchObject({ contradictions: [{ excused: true }] });
    // Nothing is excused by an entry that is not signed yet.
    installation.changeDatabase(installation.paths.ledgerDb, 'DELETE FROM audit_checkpoint WHERE epoch = 2');
    expect((await run()).status).toBe(1);
  });

  it('is not satisfied by a restore before the checkpoint was made', async () => {
    const restore = { reason: 'disk', uid: 0, abandoned: [{ epoch: 4, tree_size: 9, root: '00' }] };
    const { notes } = installation.makeSignedLedger(5, {
      checkpoints: [2, 4],
      entries: { 4: { action: 'ledger_restore', data: restore } },
    });
    mirrored(changed(notes[0] ?? '', { treeSize: 9, epoch: 3, timestampMs: NOW_MS }));
    expect((await run()).status).toBe(1);
  });

  it('reads a bounded end of a mirror, and passes over what is no checkpoint', async () => {
    const { notes } = installation.makeSignedLedger(5, { checkpoints: [2, 5] });
    mirrored(notes[1]);
    appendFileSync(mirror, `${'x'.repeat(300_000)}\n{"seen":1}\n[]\n{"note":"\u001b[2J"}\n`);
    expect(await statusOf()).toMatchObject({ outside: [{ newest: null, passed_over: 3 }, {}] });
    mirrored(notes[0]);
    expect(await statusOf()).toMatchObject({ outside: [{ newest: { epoch: 1 } }, {}], unprotected: { entries: 3 } });
  });

  it('goes on with the mirror before, where one was begun anew', async () => {
    const { notes } = installation.makeSignedLedger(5, { checkpoints: [5] });
    mirrored(notes[0]);
    writeFileSync(`${mirror}.1`, `${JSON.stringify({ seen: 1, note: notes[0] })}\n`);
    writeFileSync(mirror, '');
    expect(await statusOf()).toMatchObject({ outside: [{ newest: { epoch: 1 } }, {}] });
  });

  it('does not wait for a mirror that is no file', async () => {
    installation.makeSignedLedger(1, { checkpoints: [1] });
    mkdirSync(mirror);
    expect(await statusOf()).toMatchObject({ outside: [{ failure: 'it is no ordinary file' }, {}] });
  });

  it('shows what was archived, by the ledger and by the files', async () => {
    const { ledgerArchiveDir: directory, ledgerDb } = installation.paths;
    const told = { through_sequence: 3, epoch: 1, file: join(directory, 'ledger-2-3.jsonl'), sha256: 'ab'.repeat(32) };
    const entries = { 5: { action: 'ledger_archive', data: told } };
    const { key, hashes } = installation.makeSignedLedger(6, { checkpoints: [3, 6], entries });
    installation.changeDatabase(
      ledgerDb,
      `INSERT INTO audit_seal SELECT 1, 3, 1, x'${hashes[2] ?? ''}', tree_range, 'l-1', 'h', '${JSON.stringify([{ key, first_epoch: 1 }])}'
         FROM audit_checkpoint WHERE epoch = 1;
       DELETE FROM audit_ledger WHERE sequence <= 3`,
    );
    mkdirSync(directory);
    writeFileSync(join(directory, 'ledger-1-1.jsonl'), 'x'.repeat(2048));
    writeFileSync(join(directory, 'something else'), '');
    const { status, out } = await run();
    expect(status).toBe(0);
    const text = out.replaceAll(/\n {2,}/g, ' ').replaceAll(' ', '');
    expect(text).toContain('sealentriesupto3werearchived\n');
    expect(text).toContain('ledger-1-1.jsonl:entriesupto1,2.0KiB');
    expect(text).toContain('ledger-2-3.jsonl:entriesupto3,notinthedirectoryofarchives');
    expect(JSON.parse((await run('--json')).out)).toMatchObject({
      sealed_through: 3,
      key: { id: signerOf(1).key.id, announced_by: null },
      archives: [
        { through_sequence: 1, sha256: null, time: null, bytes: 2048 },
        { through_sequence: 3, sha256: told.sha256, bytes: null },
      ],
    });
  });

  it('knows a ledger that was never signed', async () => {
    installation.makeLedger(3);
    const { status, out } = await run();
    expect(status).toBe(0);
    expect(out).toContain('none yet: nothing of the ledger is signed');
    expect(out).toContain('key          none: the ledger was written by a release that did not sign');
  });

  it('does not trust a checkpoint of the ledger that says something else than its row', async () => {
    installation.makeSignedLedger(3, { checkpoints: [3] });
    installation.changeDatabase(installation.paths.ledgerDb, 'UPDATE audit_checkpoint SET timestamp = 2');
    const { status, err } = await run();
    expect([status, err.split('\n')[0]]).toEqual([4, 'sentinelcli: The checkpoint of epoch 1 does not hold.']);
  });
});
