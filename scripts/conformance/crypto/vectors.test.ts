import { generateKeyPairSync, sign } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';
import { loadNative } from '@sentineld/native/addon';
import { describe, expect, it } from 'vitest';
import { checkBlake3, nativeModes, nobleModes, type Blake3Modes, type Blake3Vectors } from './blake3-vectors.ts';
import { checkSigning, checkWycheproof, parseSignInput, type SigningVector } from './ed25519-vectors.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const flip = (text: string, at: number): string => text.slice(0, at) + (text[at] === '0' ? '1' : '0') + text.slice(at + 1);

describe('BLAKE3', () => {
  const key = 'k'.repeat(32);
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const input = Uint8Array.from({ length: 300 }, (_byte, index) => index % 251);
  const vector = {
    input_len: 300,
    hash: hex(blake3(input, { dkLen: 131 })),
    keyed_hash: hex(blake3(input, { dkLen: 131, key: bytes(key) })),
    derive_key: hex(blake3(input, { dkLen: 131, context: bytes('a context') })),
  };
  const check = (change: Partial<typeof vector>): string[] => {
    const vectors: Blake3Vectors = { key, context_string: 'a context', cases: [{ ...vector, ...change }] };
    return [...checkBlake3(vectors)].filter(({ problem }) => problem !== undefined).map(({ id }) => id);
  };

  it('agrees in three modes', () => {
    expect([...checkBlake3({ key, context_string: 'a context', cases: [vector] })]).toHaveLength(3);
    expect(check({})).toEqual([]);
  });

  it.each(['hash', 'keyed_hash', 'derive_key'] as const)('sees a wrong %s, at its beginning and its end', (mode) => {
    expect(check({ [mode]: flip(vector[mode], 0) })).toEqual([`blake3/${mode}/300`]);
    expect(check({ [mode]: flip(vector[mode], 261) })).toEqual([`blake3/${mode}/300`]);
  });

  it('holds every implementation against the same', () => {
    const vectors: Blake3Vectors = { key, context_string: 'a context', cases: [vector] };
    const failures = (modes: Blake3Modes): string[] =>
      [...checkBlake3(vectors, 'other', modes)].filter(({ problem }) => problem !== undefined).map(({ id }) => id);
    const addon = loadNative();
    if (addon.available) expect(failures(nativeModes(addon.native))).toEqual([]);
    expect(failures((_mode, message, secret, size) => nobleModes('hash', message, secret, size))).toEqual([
      'other/keyed_hash/300',
      'other/derive_key/300',
    ]);
    expect(failures((mode, message, secret) => nobleModes(mode, message, secret, 131))).toHaveLength(3);
  });

  it('sees codes of the addon that do not agree', () => {
    let code = 0;
    const hashCode = (number = code): string => {
      code = number;
      return 'some';
    };
    const hash = (_message: Uint8Array, out: Uint8Array): void => void out.fill(code === 2 ? 1 : 0);
    const calls = { hashCode, blake3: hash, sha256Leaves: () => undefined, sha256Nodes: hash, checkEntryPage: () => 0 };
    const modes = nativeModes({ hashCalls: calls });
    expect(modes('hash', input, new Uint8Array(0), 32)).toHaveLength(0);
    expect(nativeModes({ hashCalls: { ...calls, blake3: (_message, out) => void out.fill(7) } })('hash', input, input, 2)).toEqual(
      Uint8Array.of(7, 7),
    );
  });
});

describe('Ed25519', () => {
  const pair = generateKeyPairSync('ed25519');
  const message = Buffer.from('a message');
  const vector: SigningVector = {
    priv: hex(pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)),
    pub: hex(pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
    msg: hex(message),
    sig: hex(sign(null, message, pair.privateKey)),
  };
  const problemsOf = (change: Partial<SigningVector>): (string | undefined)[] =>
    [...checkSigning('own', [{ ...vector, ...change }])].map(({ problem }) => problem);

  it('signs and verifies', () => {
    expect(problemsOf({})).toEqual([undefined]);
  });

  it('sees a wrong key, message and signature', () => {
    expect(problemsOf({ pub: flip(vector.pub, 3) })[0]).toContain('the public key is');
    expect(problemsOf({ msg: flip(vector.msg, 3) })[0]).toContain('the signature is');
    expect(problemsOf({ sig: flip(vector.sig, 3) })[0]).toContain('the signature is');
  });

  it('holds the verdict of a verifier against what it should be', () => {
    const verdict = (result: string, change: Partial<SigningVector> = {}): (string | undefined)[] => {
      const { pub, msg, sig } = { ...vector, ...change };
      const tests = [{ tcId: 7, comment: 'why', msg, sig, result }];
      return [...checkWycheproof({ testGroups: [{ publicKey: { pk: pub }, tests }] })].map(({ problem }) => problem);
    };
    expect(verdict('valid')).toEqual([undefined]);
    expect(verdict('invalid')).toEqual(['taken for valid, it is invalid: why']);
    expect(verdict('invalid', { sig: flip(vector.sig, 3) })).toEqual([undefined]);
    expect(verdict('valid', { sig: flip(vector.sig, 3) })).toEqual(['taken for invalid, it is valid: why']);
    // What cannot be read is refused, not an error of the run.
    expect(verdict('invalid', { pub: '00' })).toEqual([undefined]);
    expect(verdict('invalid', { sig: '' })).toEqual([undefined]);
  });

  it('reads the lines of sign.input', () => {
    const line = `${vector.priv}${vector.pub}:${vector.pub}:${vector.msg}:${vector.sig}${vector.msg}:`;
    expect([...parseSignInput(`${line}\n`)]).toEqual([vector]);
  });
});
