/**
 * The suite `crypto`: the primitives that the ledger stands on, as the product ships them, against published vectors.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { loadNative } from '@sentineld/native/addon';
import { REPOSITORY } from '../../checks/finding.ts';
import { readCorpus } from '../corpora.ts';
import { caseOf, type CaseResult, type Suite } from '../suite.ts';
import { checkBlake3, nativeModes, type Blake3Vectors } from './blake3-vectors.ts';
import { checkSigning, checkWycheproof, parseSignInput, type SigningVector, type WycheproofVectors } from './ed25519-vectors.ts';

const BLAKE3 = 'crypto/blake3_test_vectors.json';
const RFC8032 = 'crypto/rfc8032-ed25519.json';
const WYCHEPROOF = 'crypto/wycheproof_ed25519_test.json';
const SIGN_INPUT = 'crypto/ed25519_sign_input_1024.txt.gz';

export const cryptoSuite: Suite = {
  name: 'crypto',
  summary: 'BLAKE3 and Ed25519 against published vectors',
  needs: [BLAKE3, RFC8032, WYCHEPROOF, SIGN_INPUT],
  needsPrograms: false,
  *run({ corpora }) {
    yield* checkShippedHash();
    yield* checkBothHashes(readCorpus(corpora, BLAKE3) as Blake3Vectors);
    yield* checkSigning('rfc8032', readCorpus(corpora, RFC8032) as readonly SigningVector[]);
    yield* checkWycheproof(readCorpus(corpora, WYCHEPROOF) as WycheproofVectors);
    yield* checkSigning('sign-input', parseSignInput(gunzipSync(readFileSync(join(corpora, SIGN_INPUT))).toString('latin1')));
  },
};

/** JavaScript's BLAKE3 and the addon's: which one makes a ledger's hashes depends on the system. */
function* checkBothHashes(vectors: Blake3Vectors): Generator<CaseResult> {
  yield* checkBlake3(vectors);
  const addon = loadNative();
  if (addon.available) yield* checkBlake3(vectors, 'blake3-native', nativeModes(addon.native));
  else yield caseOf('blake3-native', addon.reason);
}

/** Nothing, unless the library that these cases load is another copy than the one that the ledger loads. */
function* checkShippedHash(): Generator<CaseResult> {
  const here = realpathSync(fileURLToPath(import.meta.resolve('@noble/hashes/blake3.js')));
  const shipped = realpathSync(createRequire(join(REPOSITORY, 'packages/store/package.json')).resolve('@noble/hashes/blake3.js'));
  if (here !== shipped) yield caseOf('blake3/shipped', `the copy that is tested is not the one that ships: ${here}, ${shipped}`);
}
