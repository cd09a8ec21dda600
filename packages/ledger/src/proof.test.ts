import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkpointsOf, proofOf } from './fixtures/ledger-files.ts';
import { makeLedger, makeSigner } from './fixtures/make-ledger.ts';
import { formatProof, makeProof, MAX_PROOF_BYTES, parseProof, verifyProof, type Proof } from './proof.ts';

const ledger = makeLedger(['old', 'old', 'create', 'entry', 'checkpoint', 'body', 'entry', 'rotate', 'checkpoint', 'entry', 'checkpoint'], {
  signEntries: true,
});
const keys = ledger.signers.map(({ key }) => key);
const [oldest, newest] = keys;
const proof = proofOf(ledger, 5);
const file = formatProof(proof);
const foreign = makeSigner('somebody else').key;

const inputError = (why: RegExp): unknown => expect.objectContaining({ code: 'ledger.input', why: expect.stringMatching(why) });
/** The file with one member of it, or of its entry, changed. */
function changed(change: (members: Record<string, unknown>, entry: Record<string, unknown>) => void): string {
  const members = JSON.parse(file) as Record<string, unknown>;
  change(members, members['entry'] as Record<string, unknown>);
  return JSON.stringify(members);
}
const changedTlog = (change: (text: string) => string): string =>
  changed((members) => (members['tlog_proof'] = change(String(members['tlog_proof']))));

describe('a proof', () => {
  test('of every entry against every checkpoint that covers it is read as it was written, and holds', () => {
    for (const checkpoint of checkpointsOf(ledger)) {
      for (let sequence = 1; sequence <= checkpoint.treeSize; sequence++) {
        const made = proofOf(ledger, sequence, checkpoint);
        expect(formatProof(parseProof(formatProof(made)))).toBe(formatProof(made));
        expect(verifyProof(made, keys)).toMatchObject({ ok: true, why: null });
      }
    }
  });

  test('is one line of JSON with a tlog-proof in it', () => {
    expect(file.endsWith('}\n')).toBe(true);
    expect(file.trimEnd()).not.toContain('\n');
    const members = JSON.parse(file) as Record<string, unknown>;
    expect(Object.keys(members)).toEqual(['format', 'version', 'entry', 'tlog_proof']);
    expect(members['tlog_proof']).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex 4\n(?:[A-Za-z0-9+/]{43}=\n)+\nsentineld-ledger\//);
    expect(JSON.stringify(members['entry'])).toMatch(
      /^\{"sequence":5,"timestamp":\d+,"format_version":2,"epoch":2,"key_id":"[0-9a-f]{8}","actor"/,
    );
  });

  test('says what it shows and what not', () => {
    const { shows, cannotShow } = verifyProof(proof, keys);
    expect(shows.join('\n')).toMatch(/signed a root over 8 entries as epoch 4 ended[^]*Entry 5 is one of them[^]*The details beside it/);
    expect(cannotShow.join('\n')).toMatch(/is true[^]*another history/);
    const withoutBody = verifyProof({ ...proof, body: null }, keys);
    expect(withoutBody.ok).toBe(true);
    expect(withoutBody.cannotShow.join('\n')).toContain('The details of the entry');
  });

  test('checks the signature of the entry where its key is trusted too', () => {
    const own = proofOf(ledger, 4, checkpointsOf(ledger)[0]);
    expect(verifyProof(own, keys).shows.join('\n')).toContain('The entry itself is signed');
    const forged: Proof = { ...own, entry: { ...own.entry, signature: new Uint8Array(64) } };
    expect(verifyProof(forged, keys)).toMatchObject({ ok: false, why: expect.stringContaining('on the entry is wrong') });
    expect(verifyProof(proof, keys.slice(1)).cannotShow.join('\n')).toContain('Whether the signature on the entry itself is right');
    const old = proofOf(ledger, 1);
    expect(verifyProof({ ...old, entry: { ...old.entry, signature: new Uint8Array(64) } }, keys).why).toContain(
      'format version 1 have none',
    );
  });
});

describe('whom to trust', () => {
  test.each<[string, Parameters<typeof verifyProof>[1], RegExp]>([
    ['nobody', [], /no key to trust was given/],
    ['a key that did not sign', oldest === undefined ? [] : [oldest], /not signed by a key that is trusted/],
    ['a stranger of the same name', [foreign], /not signed by a key that is trusted/],
    ['the key of another ledger', [makeSigner('seed 1', 'elsewhere').key], /of another ledger than the keys/],
  ])('%s', (_name, trusted, why) => {
    const result = verifyProof(proof, trusted);
    expect(result).toMatchObject({ ok: false, key: null, shows: [], cannotShow: [] });
    expect(result.why).toMatch(why);
  });

  test('one of several is enough', () => {
    expect(verifyProof(proof, [foreign, ...keys]).key).toBe(newest);
  });

  test('a signature of the key that is wrong is told from none', () => {
    const note = proof.note.replace(/(— \S+ .{20})./u, (_, before: string) => `${before}_`);
    const broken = proof.note.replace(/(— \S+ .{20})(.)/u, (_, before: string, at: string) => `${before}${at === 'A' ? 'B' : 'A'}`);
    expect(verifyProof({ ...proof, note: broken }, keys).why).toMatch(/signature of key [0-9a-f]{8} on the checkpoint is wrong/);
    expect(() => verifyProof({ ...proof, note }, keys)).toThrow(inputError(/not DASH NAME BASE64/));
  });
});

describe('what does not hold', () => {
  test.each<[string, string, RegExp]>([
    ['other details', changed((_, entry) => (entry['event_data'] = '{}')), /payload_hash is not the hash of event_data/],
    ['another time', changed((_, entry) => (entry['timestamp'] = 5)), /entry_hash is not the hash of the fields/],
    ['another number', changed((_, entry) => (entry['sequence'] = 6)), /the proof is of leaf 4, and entry 6 is leaf 5/],
    ['another version', changed((_, entry) => (entry['format_version'] = 3)), /format version 3, and this program knows 1 and 2/],
    ['a version that no field holds', changed((_, entry) => (entry['format_version'] = 2 ** 40)), /format version 1099511627776/],
    ['another body', changed((_, entry) => (entry['body'] = `${String(entry['body']).slice(0, -2)}!}`)), /do not have the hash/],
    ['a body of another length', changed((_, entry) => (entry['body'] = '{}')), /its details have 2 bytes, not/],
    ['another leaf', changedTlog((text) => text.replace('index 4', 'index 5')), /the proof is of leaf 5/],
    ['a hash left out', changedTlog((text) => text.replace(/^(index 4\n)\S+\n/m, '$1')), /do not lead from the entry to the root/],
    ['another size', changedTlog((text) => text.replace(/^8$/m, '9')), /do not lead|is wrong/],
    ['a size below the entry', changedTlog((text) => text.replace(/^8$/m, '4')), /of 4 entries, and this is entry 5/],
    ['another epoch', changedTlog((text) => text.replace('epoch 4', 'epoch 5')), /signature of key [0-9a-f]{8} on the checkpoint is wrong/],
  ])('%s', (_name, text, why) => {
    expect(verifyProof(parseProof(text), keys)).toMatchObject({ ok: false, why: expect.stringMatching(why) });
  });

  test('a body that the entry knows nothing of', () => {
    expect(verifyProof({ ...proofOf(ledger, 6), body: '{}' }, keys).why).toContain('event_data has no hash of one');
  });

  test('no byte of the file can be changed without a word', () => {
    const bytes = Buffer.from(formatProof(proofOf(ledger, 4)));
    fc.assert(
      fc.property(fc.nat(bytes.length - 2), fc.integer({ min: 1, max: 127 }), (at, mask) => {
        const text = Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ mask : byte))).toString('utf8');
        expect(verdict(text)).not.toBe('holds');
      }),
      { numRuns: 1_500, seed: 5 },
    );
  });
});

describe('what is no proof', () => {
  test.each<[string, string, RegExp]>([
    ['nothing', '', /not JSON/],
    ['cut short', file.slice(0, 200), /not JSON; it was cut short or damaged/],
    ['a list', '[]', /the proof is no JSON object/],
    ['another format', changed((members) => (members['format'] = 'x')), /`format` is not sentineld-ledger-proof/],
    ['no entry', changed((members) => delete members['entry']), /the proof has no `entry`/],
    ['no actor', changed((_, entry) => delete entry['actor']), /`entry` of the proof has no `actor`/],
    ['an epoch as text', changed((_, entry) => (entry['epoch'] = '2')), /`epoch` of `entry` of the proof is not a whole number from 0/],
    ['a number beyond 2^53', changed((_, entry) => (entry['timestamp'] = 2 ** 53)), /`timestamp` of `entry`/],
    ['a hash in capitals', changed((_, entry) => (entry['entry_hash'] = 'AB'.repeat(32))), /`entry_hash` .* 32 bytes in lower-case hex/],
    ['a short signature', changed((_, entry) => (entry['signature'] = 'ab')), /`signature` .* 64 bytes/],
    ['half a surrogate pair', changed((_, entry) => (entry['actor'] = '\ud800')), /`actor` of `entry` of the proof is not text/],
    ['no tlog_proof', changed((members) => delete members['tlog_proof']), /has no `tlog_proof`/],
    ['a later tlog-proof', changedTlog((text) => text.replace('@v1', '@v2')), /line 1 of tlog_proof/],
    ['no index', changedTlog((text) => text.replace('index 4\n', '')), /line 2 of tlog_proof/],
    ['an index in hex', changedTlog((text) => text.replace('index 4', 'index 0x4')), /line 2 of tlog_proof/],
    [
      'a hash that is cut',
      changedTlog((text) => text.replace(/^(index 4\n\S+)\S\n/m, '$1\n')),
      /line 3 of tlog_proof is not 32 bytes in base64/,
    ],
    [
      '54 hashes',
      changedTlog((text) => text.replace('index 4\n', `index 4\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(54)}`)),
      /more than 53/,
    ],
    ['no checkpoint', changedTlog((text) => text.split('\n\n')[0] ?? ''), /ends before its checkpoint/],
    ['an empty checkpoint', changedTlog((text) => `${text.split('\n\n')[0] ?? ''}\n\n`), /ends before its checkpoint/],
    ['more than 2 MiB', changed((members) => (members['more'] = 'x'.repeat(MAX_PROOF_BYTES))), /at most 2097152 are read/],
  ])('%s', (_name, text, why) => {
    expect(() => parseProof(text)).toThrow(inputError(why));
  });

  test('a checkpoint that is cut is told when it is verified', () => {
    expect(() => verifyProof({ ...proof, note: proof.note.slice(0, -1) }, keys)).toThrow(inputError(/does not end with a line end/));
  });

  test('of an unknown version: which, and what to do', () => {
    const later = changed((members) => (members['version'] = 2));
    expect(() => parseProof(later)).toThrow(
      expect.objectContaining({
        code: 'ledger.input',
        message: expect.stringContaining('version 2'),
        hint: expect.stringContaining('sentinel-verify'),
      }),
    );
  });

  test('hashes that lead elsewhere are a bug of whoever makes it', () => {
    expect(() => makeProof(proof, [], proof.note)).toThrow(expect.objectContaining({ code: 'internal.bug' }));
    expect(() => makeProof(proof, proof.hashes, 'x')).toThrow(inputError(/no empty line/));
  });
});

function verdict(text: string): string {
  try {
    return verifyProof(parseProof(text), keys).ok ? 'holds' : 'does not hold';
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'ledger.input' });
    return 'unreadable';
  }
}
