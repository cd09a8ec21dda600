import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { createInstallation, type Installation } from '../fixtures/installation.ts';
import { noteOf, signerOf } from '../fixtures/ledger.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('audit verify', () => {
  it('shows how far the ledger holds and what that cannot show', async () => {
    const hashes = installation.makeLedger(5);
    const { status, out, err } = await installation.run(['audit', 'verify']);
    expect(status).toBe(0);
    expect(out).toContain('ok: 5 entries hold');
    expect(out).toContain('ledger l-1, newest verified entry 5');
    expect(out).toContain(hashes[4] ?? 'none');
    expect(out).toContain('entries removed from the end cannot be noticed');
    expect(err).toBe('not recorded in the ledger: neither daemon is running\n');
    expect(lines(out).every((line) => line.length <= 80)).toBe(true);
  });

  it('names the entry that was changed', async () => {
    installation.makeLedger(5);
    installation.changeDatabase(installation.paths.ledgerDb, `UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 3`);
    const { status, out } = await installation.run(['audit', 'verify', '--json']);
    expect(status).toBe(1);
    expect(json(out)).toMatchObject({ ok: false, entries: 2, failure: { sequence: 3, what: 'payload_hash' } });
    expect((await installation.run(['audit', 'verify'])).out).toContain('FAILED at entry 3 (payload_hash)');
  });

  it('cannot notice a missing end without a witness, and says so', async () => {
    installation.makeLedger(5);
    installation.changeDatabase(installation.paths.ledgerDb, 'DELETE FROM audit_ledger WHERE sequence = 5');
    const { status, out } = await installation.run(['audit', 'verify']);
    expect(status).toBe(0);
    expect(out).toContain('none: procmond is not running, and the agent keeps no entry');
    expect(out).toContain('No witness');
  });

  it.each(['procmond', 'agent'])('proves a missing end by what the %s knows', async (witness) => {
    const newest = installation.makeLedger(5)[4] ?? '';
    installation.changeDatabase(installation.paths.ledgerDb, 'DELETE FROM audit_ledger WHERE sequence = 5');
    if (witness === 'procmond') await installation.serve('procmond', { health: { ledger: { sequence: 5, entryHash: newest } } });
    installation.makeAgent([]);
    if (witness === 'agent') installation.changeDatabase(installation.paths.agentDb, `INSERT INTO ledger_witness VALUES (5, '${newest}')`);
    const { status, out } = await installation.run(['audit', 'verify']);
    expect(status).toBe(1);
    expect(out).toContain('FAILED at entry 5 (witness)');
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      `${witness === 'procmond' ? 'the running procmond' : "the agent's file"} knows entry 5, but the ledger ends at 4: entry 5 is gone`,
    );
  });

  it('is recorded: by procmond, or kept by the agent', async () => {
    installation.makeLedger(2);
    const queued = await installation.serve('sentinelagent', { 'audit.queue': {} });
    expect((await installation.run(['audit', 'verify'])).err).toBe('');
    expect(queued).toMatchObject([{ action: 'audit_verify', data: { ok: true, entries: 2, witnesses: 0 } }]);
    const appended = await installation.serve('procmond', { 'audit.append': {}, health: {} });
    await installation.run(['audit', 'verify']);
    expect([appended.length, queued.length]).toEqual([1, 1]);
  });
});

describe('audit verify of a signed ledger', () => {
  const fileOf = (name: string, text: string): string => {
    const path = join(installation.paths.root, name);
    writeFileSync(path, text);
    return path;
  };
  const mirrorOf = (notes: readonly string[]): string[] => {
    const path = fileOf('mirror.jsonl', notes.map((note) => `${JSON.stringify({ seen: 1, note })}\n`).join(''));
    return ['--set', `ledger.mirror=["${path}"]`];
  };
  const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');

  it('says whose key signed it only where a key is given', async () => {
    const { key } = installation.makeSignedLedger(10, { checkpoints: [4, 8] });
    const alone = await installation.run(['audit', 'verify']);
    expect(alone.status).toBe(0);
    expect(flat(alone.out)).toContain('2 checkpoints hold, the newest closes epoch 2: 8 entries');
    expect(flat(alone.out)).toContain('Whose key it is: only the ledger says so');
    expect(flat(alone.out)).toContain('Who wrote entries 9 to 10: no checkpoint covers them yet.');
    const trusting = await installation.run(['audit', 'verify', '--key', key]);
    expect(trusting.status).toBe(0);
    expect(flat(trusting.out)).toContain('Entries 1 to 8 are those that were signed with a key that you trust');
    const stranger = await installation.run(['audit', 'verify', '--key', fileOf('keys', `${signerOf(9).key.text}\n`), '--json']);
    expect(stranger.status).toBe(1);
    expect(json(stranger.out)).toMatchObject({ ok: false, failure: { what: 'key' }, signed_through: 8, trusted_through: 0 });
  });

  it('holds it against the mirrors of the configuration, and against files', async () => {
    const { notes } = installation.makeSignedLedger(10, { checkpoints: [4, 8] });
    const words = ['audit', 'verify', ...mirrorOf(notes), '--json'];
    expect(json((await installation.run(words)).out)).toMatchObject({
      ok: true,
      outside_through: 8,
      outside: [{ kind: 'mirror', checkpoints: 2, newest: { epoch: 2, tree_size: 8 }, failure: null }],
    });
    // A ledger of the same name that its key signed differently.
    const { checkpoint } = parseCheckpoint(notes[1] ?? '');
    const forked = fileOf('seen', noteOf({ ...checkpoint, rootHash: new Uint8Array(32) }));
    const { status, out } = await installation.run(['audit', 'verify', '--checkpoint', forked]);
    expect(status).toBe(1);
    expect(out).toContain('FAILED at entry 8 (witness)');
  });

  it('finds that a copy was put back, and that the ledger is another', async () => {
    const { notes } = installation.makeSignedLedger(10, { checkpoints: [4, 8] });
    const mirror = mirrorOf(notes);
    const cut = 'DELETE FROM audit_ledger WHERE sequence > 4; DELETE FROM audit_checkpoint WHERE epoch > 1';
    installation.changeDatabase(installation.paths.ledgerDb, cut);
    const { status, out } = await installation.run(['audit', 'verify', ...mirror]);
    expect(status).toBe(1);
    expect(flat(out)).toContain('has a checkpoint of epoch 2 and 8 entries, and the ledger ends at 4: entries 5 to 8 are gone');
    const { checkpoint } = parseCheckpoint(notes[1] ?? '');
    const signer = signerOf(3, 'l-2');
    const other = mirrorOf([noteOf({ ...checkpoint, origin: signer.key.name }, signer)]);
    expect(json((await installation.run(['audit', 'verify', ...other, '--json'])).out)).toMatchObject({
      failure: { what: 'witness', why: expect.stringContaining('of another ledger') },
    });
  });

  it('reads a part from checkpoint to checkpoint, and says what it did not read', async () => {
    installation.makeSignedLedger(30, { checkpoints: [4, 8, 12, 16] });
    const { status, out } = await installation.run(['audit', 'verify', '--from', '6', '--to', '10']);
    expect(status).toBe(0);
    expect(out).toContain('ok: 8 entries from 5 on hold');
    expect(flat(out)).toContain('What entries 1 to 4 say: they were not read');
    expect(flat(out)).toContain('What comes after entry 12: it was not read.');
    installation.changeDatabase(installation.paths.ledgerDb, 'UPDATE audit_checkpoint SET tree_range = zeroblob(32) WHERE epoch = 1');
    expect(json((await installation.run(['audit', 'verify', '--from', '6', '--json'])).out)).toMatchObject({
      failure: { sequence: 4, what: 'tree', epoch: 1 },
    });
  });

  it.each([
    [['--from', '31'], 'Entry 31 is not in the ledger.', 2],
    [['--to', '0'], '--to 0: not taken', 2],
    [['--key', 'l-1+00000000+AAAA'], 'This is no key of a ledger.', 2],
    [['--checkpoint', '/nonexistent/note'], '/nonexistent/note is not a checkpoint', 2],
  ])('%s is refused', async (words, message, expected) => {
    installation.makeSignedLedger(30, { checkpoints: [4] });
    const { status, err } = await installation.run(['audit', 'verify', ...words]);
    expect([status, err]).toEqual([expected, expect.stringContaining(message)]);
  });

  it('says that a ledger is of a newer release', async () => {
    installation.makeSignedLedger(3);
    installation.changeDatabase(installation.paths.ledgerDb, 'PRAGMA user_version = 99');
    const { status, err } = await installation.run(['audit', 'verify']);
    expect([status, err]).toEqual([4, expect.stringContaining('has schema version 99; this program knows')]);
  });
});
