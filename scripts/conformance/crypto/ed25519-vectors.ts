/**
 * Ed25519 as node:crypto has it, which is what the product signs and verifies with: RFC 8032's vectors, Wycheproof's,
 * and DJB's thousand. A key or signature that cannot even be read counts as refused.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { caseOf, type CaseResult } from '../suite.ts';

/** All in hex; `priv` is the 32 bytes of the seed. */
export type SigningVector = { readonly priv: string; readonly pub: string; readonly msg: string; readonly sig: string };

export type WycheproofVectors = { readonly testGroups: readonly WycheproofGroup[] };
type WycheproofGroup = { readonly publicKey: { readonly pk: string }; readonly tests: readonly WycheproofTest[] };
type WycheproofTest = {
  readonly tcId: number;
  readonly comment: string;
  readonly msg: string;
  readonly sig: string;
  readonly result: string;
};

/** What stands before the raw bytes of a key in DER (RFC 8410). */
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Signing gives exactly the published bytes, the public key belongs to the private one, and a changed message is refused. */
export function* checkSigning(source: string, vectors: Iterable<SigningVector>): Generator<CaseResult> {
  let at = 0;
  for (const vector of vectors) {
    at += 1;
    yield caseOf(`${source}/${at}`, compare(vector));
  }
}

function compare({ priv, pub, msg, sig }: SigningVector): string | undefined {
  const seed = Buffer.concat([PRIVATE_PREFIX, Buffer.from(priv, 'hex')]);
  const key = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length).toString('hex');
  if (publicKey !== pub) return `the public key is ${publicKey}, not ${pub}`;
  const message = Buffer.from(msg, 'hex');
  const signature = sign(null, message, key).toString('hex');
  if (signature !== sig) return `the signature is ${signature}, not ${sig}`;
  if (!isAccepted(pub, message, sig)) return 'the published signature is not accepted';
  const changed = Buffer.concat([message, Buffer.of(0)]);
  return isAccepted(pub, changed, sig) ? 'the signature is accepted for another message' : undefined;
}

export function* checkWycheproof({ testGroups }: WycheproofVectors): Generator<CaseResult> {
  for (const { publicKey, tests } of testGroups) {
    for (const { tcId, comment, msg, sig, result } of tests) {
      const verdict = isAccepted(publicKey.pk, Buffer.from(msg, 'hex'), sig) ? 'valid' : 'invalid';
      yield caseOf(`wycheproof/${tcId}`, verdict === result ? undefined : `taken for ${verdict}, it is ${result}: ${comment}`);
    }
  }
}

function isAccepted(publicKey: string, message: Uint8Array, signature: string): boolean {
  const key = readPublicKey(publicKey);
  return key !== undefined && verify(null, message, key, Buffer.from(signature, 'hex'));
}

function readPublicKey(raw: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, Buffer.from(raw, 'hex')]), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** Lines of the reference implementation's sign.input: seed and public key, public key, message, signature and message. */
export function* parseSignInput(text: string): Generator<SigningVector> {
  for (const line of text.split('\n')) {
    const [keys = '', pub = '', msg = '', signed = ''] = line.split(':');
    if (keys !== '') yield { priv: keys.slice(0, 64), pub, msg, sig: signed.slice(0, 128) };
  }
}
