import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashPayload } from '@sentineld/ledger/canonical-entry';
import { createInstallation, type Installation } from '../fixtures/installation.ts';
import { signerOf } from '../fixtures/ledger.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const at = (name: string): string => join(installation.paths.root, name);
const prove = (...words: string[]) => installation.run(['audit', 'prove', ...words]);
const verify = (...words: string[]) => installation.run(['audit', 'verify-proof', ...words]);

describe('audit prove', () => {
  it('proves every entry that is signed, from whatever checkpoint is nearest', async () => {
    const { key } = installation.makeSignedLedger(23, { checkpoints: [4, 4, 7, 16, 21] });
    for (let sequence = 1; sequence <= 21; sequence++) {
      const { status, out, err } = await prove(String(sequence));
      expect([sequence, status]).toEqual([sequence, 0]);
      expect(err).toBe(`entry ${sequence} is in the tree of 21 entries, signed as epoch 5 ended\n`);
      writeFileSync(at('proof'), out);
      expect([sequence, (await verify(at('proof'), '--key', key)).status]).toEqual([sequence, 0]);
    }
    const { status, err } = await prove('22');
    expect([status, err.split('\n')]).toEqual([
      2,
      [
        'sentinelcli: no checkpoint covers entry 22 yet',
        '  the newest covers 21 entries',
        '  sentinelcli audit checkpoint makes one; then ask again',
        '',
      ],
    ]);
    expect((await prove('24')).err).toContain('there is no entry 24\n  the newest is 23');
  });

  it('writes a file that only its owner may read, and overwrites none', async () => {
    installation.makeSignedLedger(3, { checkpoints: [3] });
    const { out } = await prove('2', '--out', at('proof'));
    expect(out).toContain('proof: entry 2 is in the tree of 3 entries');
    expect(statSync(at('proof')).mode & 0o777).toBe(0o600);
    expect((await prove('2', '--out', at('proof'))).err).toContain('is in the way');
    expect((await prove('1', '--out', at('proof'), '--force')).status).toBe(0);
    expect(readFileSync(at('proof'), 'utf8')).toContain('"sequence":1,');
  });

  it('carries the details that are kept beside an entry', async () => {
    const body = JSON.stringify({ many: 'x'.repeat(20_000) });
    const hash = hashPayload(body);
    const data = { body: { blake3: Buffer.from(hash).toString('hex'), size_bytes: body.length }, start: body.slice(0, 10) };
    const { key } = installation.makeSignedLedger(3, { checkpoints: [3], bodies: [body], entries: { 2: { data } } });
    await prove('2', '--out', at('proof'));
    const { status, out } = await verify(at('proof'), '--key', key, '--json');
    expect([status, (JSON.parse(out) as { entry: { body: string } }).entry.body]).toEqual([0, body]);
  });

  it('proves entries of an earlier release too', async () => {
    const { key } = installation.makeSignedLedger(9, { signedFrom: 4, checkpoints: [6, 9] });
    for (const sequence of ['1', '3', '4', '9']) {
      writeFileSync(at('proof'), (await prove(sequence)).out);
      expect((await verify(at('proof'), '--key', key)).status).toBe(0);
    }
  });

  it('starts from the seal, where older entries were archived', async () => {
    const { key, hashes } = installation.makeSignedLedger(12, { checkpoints: [5, 9, 12] });
    const keys = JSON.stringify([{ key, first_epoch: 1 }]);
    installation.changeDatabase(
      installation.paths.ledgerDb,
      `INSERT INTO audit_seal SELECT 1, 5, 1, x'${hashes[4] ?? ''}', tree_range, 'l-1', 'h', '${keys}' FROM audit_checkpoint WHERE epoch = 1;
       DELETE FROM audit_ledger WHERE sequence <= 5`,
    );
    for (const sequence of ['6', '9', '12']) {
      writeFileSync(at('proof'), (await prove(sequence)).out);
      expect((await verify(at('proof'), '--key', key)).status).toBe(0);
    }
    expect((await prove('5')).err).toContain('entry 5 is not in the ledger any more\n  entries up to 5 were archived');
  });

  it.each([
    ['an entry was changed', "UPDATE audit_ledger SET actor = 'x' WHERE sequence = 4", 'does not have the root'],
    ['an entry was removed', 'DELETE FROM audit_ledger WHERE sequence = 4', 'Entry 4 is not in the ledger.'],
    ['a hash was cut', "UPDATE audit_ledger SET payload_hash = x'00' WHERE sequence = 4", 'Entry 4 does not hold.'],
    [
      'another key signed',
      `UPDATE audit_ledger SET event_data = replace(event_data, '${signerOf(1).key.text}', '${signerOf(2).key.text}')`,
      'is not signed by the key of its epoch',
    ],
  ])('proves nothing where %s, and leaves no file', async (_, sql, what) => {
    installation.makeSignedLedger(8, { checkpoints: [8] });
    installation.changeDatabase(installation.paths.ledgerDb, sql);
    const { status, err } = await prove('2', '--out', at('proof'));
    expect([status, existsSync(at('proof'))]).toEqual([4, false]);
    expect(err).toContain(what);
  });
});

describe('audit verify-proof', () => {
  let proof = '';
  let key = '';
  beforeEach(async () => {
    key = installation.makeSignedLedger(8, { checkpoints: [8], entries: { 3: { data: { name: '\u001b[2J' } } } }).key;
    proof = (await prove('3')).out;
    writeFileSync(at('proof'), proof);
  });

  it('says what it shows and what it cannot show, within 80 columns', async () => {
    const { status, out } = await verify(at('proof'), '--key', key);
    expect(status).toBe(0);
    expect(out).toMatch(
      /^ok: the proof of entry 3 holds\n {2}\d{4}-.* procmond {2}start\n {2}\{"name":"\\u001b\[2J"\}\nThis shows\n {2}- /,
    );
    expect(out).toContain('It cannot show\n  - Whether what the entry says is true');
    expect(out.split('\n').every((line) => line.length <= 80)).toBe(true);
    const { out: asJson } = await verify(at('proof'), '--key', key, '--json');
    expect(JSON.parse(asJson)).toMatchObject({
      ok: true,
      why: null,
      entry: { sequence: 3 },
      checkpoint: { tree_size: 8 },
      key_id: signerOf(1).key.id,
    });
  });

  it('takes keys from a file, with empty lines and remarks', async () => {
    writeFileSync(at('keys'), `# of web-1\n\n${signerOf(5).key.text}\n${key} # the second\n`);
    expect((await verify(at('proof'), '--key', at('keys'))).status).toBe(0);
  });

  it.each([
    ['an entry that was changed', (text: string) => text.replace('"actor":"procmond"', '"actor":"sentinelcli"'), 'entry_hash is not'],
    ['another number', (text: string) => text.replace('index 2', 'index 3'), 'the proof is of leaf 3'],
  ])('fails by %s, with status 1', async (_, change, why) => {
    writeFileSync(at('proof'), change(proof));
    const { status, out } = await verify(at('proof'), '--key', key);
    expect([status, out.includes('FAILED: the proof of entry 3 does not hold')]).toEqual([1, true]);
    expect(out).toContain(why);
    const { out: asJson } = await verify(at('proof'), '--key', key, '--json');
    expect(JSON.parse(asJson)).toMatchObject({ ok: false, shows: [] });
  });

  it('fails by another key, also one of another ledger', async () => {
    expect((await verify(at('proof'), '--key', signerOf(2).key.text)).out).toContain('not signed by a key that is trusted');
    expect((await verify(at('proof'), '--key', signerOf(1, 'l-9').key.text)).out).toContain('another ledger than the keys');
  });

  it.each([
    ['is cut short', () => proof.slice(0, 200), 'This is no proof of an entry.'],
    ['is of a version that nobody knows', () => proof.replace('"version":1', '"version":7'), 'version 7, which is not known'],
    ['is huge', () => 'x'.repeat(3 * 1024 * 1024), 'is not a proof of an entry'],
    ['is no text', () => Buffer.from([0xff, 0xfe, 0, 1]), 'is not a proof of an entry'],
    ['is empty', () => '', 'This is no proof of an entry.'],
  ])('refuses a file that %s', async (_, make, what) => {
    writeFileSync(at('proof'), make());
    const { status, out, err } = await verify(at('proof'), '--key', key);
    expect([status, out]).toEqual([2, '']);
    expect(err.split('\n')[0]).toContain(what);
  });

  it('refuses keys that are none, and files that are not there', async () => {
    writeFileSync(at('keys'), '# none\n');
    expect((await verify(at('proof'), '--key', at('keys'))).err).toContain('there is no key in it');
    expect((await verify(at('proof'), '--key', `${key}A`)).err).toContain('This is no key of a ledger.');
    expect((await verify(at('proof'), '--key', at('nowhere'))).err).toContain('nowhere is not a file of keys\n  there is no such file');
    expect((await verify(at('nowhere'), '--key', key)).err).toContain('nowhere is not a proof of an entry\n  there is no such file');
    expect((await verify(installation.paths.root, '--key', key)).err).toContain('it is no ordinary file');
  });
});
