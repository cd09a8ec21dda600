import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SentinelError } from '@sentineld/model/error';
import type { Request } from '@sentineld/model/request';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';
import { noteOf, signerOf } from '../fixtures/ledger.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const refusal = () => {
  throw new SentinelError('ipc.refused', { message: 'uid 1000 may not ask for this' });
};

describe('audit checkpoint', () => {
  it('prints the checkpoint as it is', async () => {
    const [note = ''] = installation.makeSignedLedger(3, { checkpoints: [3] }).notes;
    await installation.serve('procmond', { 'ledger.checkpoint': { epoch: 1, treeSize: 3, timestampMs: NOW_MS, note } });
    expect(await installation.run(['audit', 'checkpoint'])).toEqual({ status: 0, out: note, err: '' });
    const { out } = await installation.run(['audit', 'checkpoint', '--json']);
    expect(JSON.parse(out)).toMatchObject({ epoch: 1, tree_size: 3, note });
  });

  it.each([
    ['no checkpoint', 'hello\n', 'there is no empty line'],
    ['what a terminal would act on', `${noteOf(noteFields())}— x\u001b[2J AAAAAAAA\n`, 'characters that are not to be shown'],
  ])('refuses %s', async (_, note, why) => {
    await installation.serve('procmond', { 'ledger.checkpoint': { epoch: 1, treeSize: 3, timestampMs: NOW_MS, note } });
    const { status, out, err } = await installation.run(['audit', 'checkpoint']);
    expect([status, out, err.includes(why)]).toEqual([4, '', true]);
  });

  it('passes on why procmond cannot', async () => {
    const failed = () => {
      throw new SentinelError('state.unusable', { message: 'the ledger takes no entries: the disk is full' });
    };
    await installation.serve('procmond', { 'ledger.checkpoint': failed });
    const { status, err } = await installation.run(['audit', 'checkpoint']);
    const lines = [
      'sentinelcli: procmond refuses it',
      '  the ledger takes no entries: the disk is full',
      '  sentinelcli health says what state it is in',
      '',
    ];
    expect([status, err.split('\n')]).toEqual([4, lines]);
  });

  it('refuses an answer in another form', async () => {
    await installation.serve('procmond', { 'ledger.checkpoint': { epoch: 'one' } });
    const { status, err } = await installation.run(['audit', 'checkpoint']);
    expect([status, err.split('\n')[0]]).toEqual([4, 'sentinelcli: procmond answered ledger.checkpoint in a form that is not known']);
  });

  it('says that procmond does not run', async () => {
    const { status, err } = await installation.run(['audit', 'checkpoint']);
    expect([status, err.split('\n')[0], err.includes('nobody listens on')]).toEqual([4, 'sentinelcli: procmond does not run here', true]);
  });
});

describe('audit key export', () => {
  it('prints the keys, and says which epochs they sign', async () => {
    installation.makeSignedLedger(6, { checkpoints: [3, 4, 6], entries: { 3: { action: 'key_rotate' } } });
    const { status, out, err } = await installation.run(['audit', 'key', 'export']);
    const [first, second] = [signerOf(1).key, signerOf(2).key];
    expect([status, err]).toEqual([0, '']);
    const remarks = [`# ${first.id}: epochs 1 to 1 (entry 1, `, `# ${second.id}: from epoch 2 on (entry 3, `];
    const lines = out.trimEnd().split('\n');
    expect([lines[1], lines[3], lines.length]).toEqual([first.text, second.text, 4]);
    expect([lines[0]?.startsWith(remarks[0] ?? ''), lines[2]?.startsWith(remarks[1] ?? '')]).toEqual([true, true]);
    const { out: asJson } = await installation.run(['audit', 'key', 'export', '--json']);
    expect(JSON.parse(asJson)).toMatchObject([
      { id: signerOf(1).key.id, first_epoch: 1, last_epoch: 1, announced_by: 1, is_announced: true },
      { id: signerOf(2).key.id, first_epoch: 2, last_epoch: null, announced_by: 3, is_announced: true },
    ]);
  });

  it('says that a key came from nowhere', async () => {
    installation.makeSignedLedger(3, { entries: { 2: { action: 'key_create', data: { key: signerOf(2).key.text, reason: 'lost' } } } });
    const { out } = await installation.run(['audit', 'key', 'export']);
    expect(out).toContain(`# ${signerOf(1).key.id}: no epoch (entry 1, `);
    expect(out).toMatch(new RegExp(`# ${signerOf(2).key.id}: from epoch 1 on \\(entry 2, .*NO KEY BEFORE IT ANNOUNCED IT`));
  });

  it('has none of a ledger that was never signed', async () => {
    installation.makeLedger(2);
    const { status, err } = await installation.run(['audit', 'key', 'export']);
    expect([status, err.split('\n')[0]]).toEqual([4, 'sentinelcli: no key signs this ledger yet']);
  });
});

describe('audit key rotate', () => {
  it('prints the new key', async () => {
    const key = signerOf(2).key.text;
    await installation.serve('procmond', { 'ledger.rotate_key': { key, firstEpoch: 8 } });
    const { status, out, err } = await installation.run(['audit', 'key', 'rotate']);
    expect([status, out, err]).toEqual([0, `# ${signerOf(2).key.id}: from epoch 8 on; the private key before it is gone\n${key}\n`, '']);
  });

  it('passes on that this user may not', async () => {
    await installation.serve('procmond', { 'ledger.rotate_key': refusal });
    const { status, err } = await installation.run(['audit', 'key', 'rotate']);
    expect([status, err.split('\n')]).toEqual([
      4,
      ['sentinelcli: procmond refuses it', '  uid 1000 may not ask for this', '  ask as root, or as the user that procmond runs as', ''],
    ]);
  });

  it('refuses what is no key', async () => {
    await installation.serve('procmond', { 'ledger.rotate_key': { key: `${signerOf(2).key.text}x`, firstEpoch: 8 } });
    expect(await installation.run(['audit', 'key', 'rotate'])).toMatchObject({ status: 4, out: '' });
  });
});

describe('audit archive', () => {
  const path = '/s/ledger/archive/ledger-1-40.jsonl';
  const asked: Request[] = [];
  const reply = { path, throughSequence: 40, entries: 40, sha256: 'ab'.repeat(32) };

  it('asks for what is before a time, and says where it is', async () => {
    await installation.serve('procmond', {
      'ledger.archive': (request: Request) => {
        asked.push(request);
        return asked.length % 3 === 0 ? { ...reply, path: '', entries: 0 } : reply;
      },
    });
    const { status, out } = await installation.run(['audit', 'archive', '--before', '1h ago']);
    // Until there is nothing more: one file takes so many.
    expect(asked).toEqual(Array.from({ length: 3 }, () => ({ request: 'ledger.archive', beforeMs: NOW_MS - 3_600_000 })));
    expect([status, out]).toEqual([0, `${path}: entries up to 40, 40 of them\nsha256 ${'ab'.repeat(32)}\n`.repeat(2)]);
    const { out: asJson } = await installation.run(['audit', 'archive', '--before', '1h ago', '--json']);
    const row = { path, through_sequence: 40, entries: 40, sha256: 'ab'.repeat(32) };
    expect(JSON.parse(asJson)).toEqual([row, row]);
  });

  it('says that there is nothing to do', async () => {
    await installation.serve('procmond', { 'ledger.archive': { ...reply, path: '', entries: 0 } });
    const { status, out } = await installation.run(['audit', 'archive', '--before', '1h ago']);
    expect([status, out]).toEqual([0, 'nothing to archive: no checkpoint covers an entry of before that time\n']);
  });
});

describe('audit restore', () => {
  it('gives up the newest of what contradicts, and shows it first', async () => {
    const { notes } = installation.makeSignedLedger(5, { checkpoints: [5] });
    const { checkpoint } = parseCheckpoint(notes[0] ?? '');
    const gone = [2, 3].map((epoch) => noteOf({ ...checkpoint, epoch, treeSize: 5 + epoch }));
    const mirror = join(installation.paths.root, 'mirror.jsonl');
    for (const note of [...notes, ...gone]) appendFileSync(mirror, `${JSON.stringify({ seen: NOW_MS, note })}\n`);
    const kept = join(installation.paths.root, 'kept');
    writeFileSync(kept, noteOf({ ...checkpoint, epoch: 4, treeSize: 9 }));
    const forged = join(installation.paths.root, 'forged');
    writeFileSync(forged, noteOf({ ...checkpoint, epoch: 5, treeSize: 99 }, signerOf(7)));
    const sent: Request[] = [];
    await installation.serve('procmond', {
      'ledger.restore': (request: Request) => {
        sent.push(request);
        return { sequence: 6 };
      },
    });
    const words = ['audit', 'restore', '--reason', 'disk', '--checkpoint', kept, '--checkpoint', forged];
    const { status, out, err } = await installation.run([...words, '--set', `ledger.mirror=["${mirror}"]`]);
    expect([status, out]).toEqual([0, 'recorded as entry 6\n']);
    const [request] = sent;
    const sentNotes = request?.request === 'ledger.restore' ? request.notes : [];
    expect(sentNotes.map((note) => parseCheckpoint(note).checkpoint.epoch)).toEqual([4, 3, 2]);
    expect(err.replaceAll(/\n {4}/g, ' ')).toMatch(/Given up by this restore\n {2}- epoch 4, 9 entries, .*kept: it covers 9 entries/);
    expect(err).toContain('Left out: no key of this ledger signed them');
  });

  it('is recorded also where nothing contradicts', async () => {
    installation.makeSignedLedger(5, { checkpoints: [5] });
    await installation.serve('procmond', { 'ledger.restore': { sequence: 6 } });
    const { status, out } = await installation.run(['audit', 'restore', '--reason', 'disk', '--json']);
    expect([status, JSON.parse(out)]).toEqual([0, { sequence: 6, abandoned: [], left_out: [] }]);
  });

  it('shows what it would give up also where procmond does not run', async () => {
    installation.makeSignedLedger(1, { checkpoints: [1] });
    const { status, out, err } = await installation.run(['audit', 'restore', '--reason', 'disk']);
    expect([status, out]).toEqual([4, '']);
    expect(err).toMatch(/^No checkpoint that is known elsewhere contradicts the ledger.[^]*sentinelcli: procmond does not run here/);
  });

  it('passes on what procmond finds wrong with it', async () => {
    installation.makeSignedLedger(1, { checkpoints: [1] });
    await installation.serve('procmond', {
      'ledger.restore': () => {
        throw new SentinelError('ledger.input', { message: 'a note is of another ledger' });
      },
    });
    const { status, err } = await installation.run(['audit', 'restore', '--reason', 'disk']);
    expect([status, err.includes('sentinelcli: procmond refuses it\n  a note is of another ledger\n')]).toEqual([2, true]);
  });
});

function noteFields() {
  const hash = Buffer.alloc(32);
  return { origin: signerOf(1).key.name, treeSize: 3, rootHash: hash, epoch: 1, timestampMs: NOW_MS, chain: hash };
}
