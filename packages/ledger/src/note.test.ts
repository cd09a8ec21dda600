import { createHash, createPrivateKey, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeSigner } from './fixtures/make-ledger.ts';
import { fromBase64, parseKey, parseNote, signNote, verifierKey, verifyNote, verifySignature, type Signer } from './note.ts';

/** Keys and notes of the documentation and the tests of Go's golang.org/x/mod/sumdb/note. */
const PETER_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const PETER_PRIVATE = 'AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_LINE = '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
const ENOCH_KEY = 'EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop';
const ENOCH_LINE = '— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n';
const NOTE = `${TEXT}\n${PETER_LINE}`;

const inputError = (why: string | RegExp): unknown => expect.objectContaining({ code: 'ledger.input', why: expect.stringMatching(why) });

describe('notes of the Go implementation', () => {
  test('a published note verifies with its published key', () => {
    const key = parseKey(PETER_KEY);
    expect(key).toMatchObject({ name: 'PeterNeumann', id: 'c74f20a3', text: PETER_KEY });
    expect(parseNote(NOTE).text).toBe(TEXT);
    expect(verifyNote(parseNote(NOTE), key)).toBe('valid');
  });

  test('the published private key makes the same note', () => {
    const seed = Buffer.from(PETER_PRIVATE, 'base64').subarray(1);
    const key = createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
      format: 'der',
      type: 'pkcs8',
    });
    const signer: Signer = { key: parseKey(PETER_KEY), sign: (bytes) => sign(null, bytes, key) };
    expect(signNote(TEXT, signer)).toBe(NOTE);
  });

  test("two signatures: each is its key's, whichever comes first", () => {
    for (const note of [`${NOTE}${ENOCH_LINE}`, `${TEXT}\n${ENOCH_LINE}${PETER_LINE}`]) {
      expect(verifyNote(parseNote(note), parseKey(PETER_KEY))).toBe('valid');
      expect(verifyNote(parseNote(note), parseKey(ENOCH_KEY))).toBe('valid');
    }
    expect(verifyNote(parseNote(NOTE), parseKey(ENOCH_KEY))).toBe('missing');
  });

  // The example of the documentation that a base64 part may have a plus sign of its own.
  test('a key with a plus sign in its base64', () => {
    expect(parseKey('TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6')).toMatchObject({ name: 'TEST', id: '7997405c' });
  });
});

describe('keys', () => {
  test('no part of a key and no key with one character changed is taken', () => {
    const taken: string[] = [];
    const tryKey = (text: string): void => {
      try {
        parseKey(text);
        taken.push(text);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'ledger.input' });
      }
    };
    for (let from = 0; from < PETER_KEY.length; from++) {
      for (let to = from + 1; to <= PETER_KEY.length; to++) if (to - from < PETER_KEY.length) tryKey(PETER_KEY.slice(from, to));
    }
    for (let at = 0; at < PETER_KEY.length; at++) {
      tryKey(`${PETER_KEY.slice(0, at)}${String.fromCharCode(PETER_KEY.charCodeAt(at) + 1)}${PETER_KEY.slice(at + 1)}`);
    }
    expect(taken).toEqual([]);
  });

  test.each<[string, string, RegExp]>([
    ['nothing', '', /not NAME\+8 HEX DIGITS\+BASE64/],
    ['a private key', `PRIVATE+KEY+PeterNeumann+c74f20a3+${PETER_PRIVATE}`, /not NAME\+8 HEX DIGITS/],
    ['another id', PETER_KEY.replace('c74f20a3', 'c74f20a4'), /its id is c74f20a4, and the key's is c74f20a3/],
    ['another name', PETER_KEY.replace('Neumann', 'Newman'), /its id is c74f20a3/],
    ['a name with a space', PETER_KEY.replace('Neumann', ' Neumann'), /a space or a control character/],
    ['half a surrogate pair in its name', PETER_KEY.replace('Neumann', '\ud800'), /a space or a control character/],
    ['an algorithm that nobody knows', keyText('P', Buffer.of(90, ...new Uint8Array(32))), /its algorithm is 90, and only Ed25519/],
    ['a cosignature key', keyText('P', Buffer.of(4, ...new Uint8Array(32))), /its algorithm is 4/],
    ['a byte too few', keyText('P', Buffer.of(1, ...new Uint8Array(31))), /it has 31 bytes/],
    ['4 KiB', `${'P'.repeat(4096)}${PETER_KEY}`, /at most 1024 are read/],
    ['megabytes of base64', `P+00000000+${'A'.repeat(4 * 1024 * 1024)}`, /at most 1024 are read/],
  ])('%s', (_name, text, why) => {
    expect(() => parseKey(text)).toThrow(inputError(why));
  });

  test('spaces and a line end around a key do not matter', () => {
    expect(parseKey(`  ${PETER_KEY}\r\n`).text).toBe(PETER_KEY);
  });

  test('a name that no note can carry is a bug, and so is a key of another size', () => {
    for (const name of ['', 'a b', 'a+b', 'a\nb', '\ud800', 'x'.repeat(256)]) {
      expect(() => verifierKey(name, new Uint8Array(32))).toThrow(expect.objectContaining({ code: 'internal.bug' }));
    }
    expect(() => verifierKey('a', new Uint8Array(31))).toThrow(expect.objectContaining({ code: 'internal.bug' }));
  });

  test('32 bytes that are no point of the curve verify nothing and throw nothing', () => {
    const key = verifierKey('a', new Uint8Array(32).fill(0xff));
    expect(verifySignature(key, Buffer.from('x'), new Uint8Array(64))).toBe(false);
    expect(verifySignature(parseKey(PETER_KEY), Buffer.from('x'), new Uint8Array(63))).toBe(false);
  });
});

describe('hostile notes', () => {
  test.each<[string, string, RegExp]>([
    ['nothing', '', /no empty line/],
    ['no signature', TEXT, /no empty line/],
    ['no text', `\n\n${PETER_LINE}`, /no empty line/],
    ['no line end after the signature', NOTE.slice(0, -1), /no empty line before its signatures, or it does not end with a line end/],
    ['an empty line after the signature', `${NOTE}\n`, /not DASH NAME BASE64/],
    ['a hyphen for the dash', NOTE.replace('—', '-'), /not DASH NAME BASE64/],
    ['a signature that is only a key id', `${TEXT}\n— PeterNeumann x08gow==\n`, /not DASH NAME BASE64/],
    ['base64 without padding', NOTE.replace('=\n', '\n'), /not DASH NAME BASE64/],
    ['base64 with a space in it', NOTE.replace('/ZJ', '/Z J'), /not DASH NAME BASE64/],
    ['a carriage return', NOTE.replaceAll('\n', '\r\n'), /a control character/],
    ['a NUL', NOTE.replace('you', 'y\0u'), /a control character/],
    ['half a surrogate pair', NOTE.replace('you', 'y\udc00u'), /half a surrogate pair/],
    ['101 signatures', `${TEXT}\n${PETER_LINE.repeat(101)}`, /it has 101 signatures/],
    ['a megabyte', `${'x'.repeat(1024 * 1024)}\n${NOTE}`, /characters, at most 16384 are read/],
  ])('%s', (_name, note, why) => {
    expect(() => parseNote(note)).toThrow(inputError(why));
  });

  test('a line of a key with the same name and another id means nothing; the same key twice counts once, by its first line', () => {
    const other = PETER_LINE.replace('x08go', 'x08gp');
    expect(verifyNote(parseNote(`${TEXT}\n${other}`), parseKey(PETER_KEY))).toBe('missing');
    expect(verifyNote(parseNote(`${TEXT}\n${other}${PETER_LINE}`), parseKey(PETER_KEY))).toBe('valid');
    const broken = PETER_LINE.replace('ZJku', 'ZJkv');
    expect(verifyNote(parseNote(`${TEXT}\n${broken}${PETER_LINE}`), parseKey(PETER_KEY))).toBe('invalid');
  });

  test('no note with one byte of its text or of its signature changed is valid', () => {
    const [key, bytes] = [parseKey(PETER_KEY), Buffer.from(NOTE)];
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ mask : byte))).toString('utf8');
        expect(verdict(changed, key)).not.toBe('valid');
      }),
      { numRuns: 1_000, seed: 8_032, examples: [[0, 1]] },
    );
  });

  test('whatever is signed is read again and holds, with any text that a note can carry', () => {
    const signer = makeSigner('any');
    const line = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => !/\p{Cc}|\p{Cs}/u.test(text));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
        const text = `${lines.join('\n')}\n`;
        const note = parseNote(signNote(text, signer));
        expect(note.text).toBe(text);
        expect(verifyNote(note, signer.key)).toBe('valid');
      }),
      { seed: 2_026 },
    );
  });
});

test('base64 is taken only as it is written', () => {
  expect(fromBase64('AQID')).toEqual(Uint8Array.of(1, 2, 3));
  for (const text of ['', 'A', 'AQI', 'AQI=\n', 'AQ-_', 'AQID=', 'A===', ' AQID', 'AQ==AQ==', 'AR==', 'AQJ='])
    expect(fromBase64(text)).toBeNull();
});

function verdict(note: string, key: ReturnType<typeof parseKey>): string {
  try {
    return verifyNote(parseNote(note), key);
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'ledger.input' });
    return 'unreadable';
  }
}

function keyText(name: string, tagged: Uint8Array): string {
  const id = createHash('sha256').update(`${name}\n`).update(tagged).digest('hex').slice(0, 8);
  return `${name}+${id}+${Buffer.from(tagged).toString('base64')}`;
}
