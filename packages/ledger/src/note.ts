/**
 * Signed notes with Ed25519 (c2sp.org/signed-note): a text, an empty line, and lines of signatures. Only what is needed
 * for checkpoints: lines of keys that are not known are kept and mean nothing.
 */
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { SentinelError } from '@sentineld/model/error';

const ED25519 = 1;
const ID_BYTES = 4;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const DASH = '\u2014';
/** DER of a SubjectPublicKeyInfo up to the key itself (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** Of a note and of a key, so that hostile files are bounded. */
const MAX_NOTE_CHARACTERS = 16_384;
const MAX_SIGNATURES = 100;
const MAX_KEY_CHARACTERS = 1_024;
/** A key's name has no space, no plus, no control character and nothing that UTF-8 cannot write. */
const KEY_NAME = /^[^\s+\p{Cc}\p{Cs}]{1,255}$/u;
/** A note has no control characters but line feeds; half a surrogate pair would be signed as another character. */
const NOT_IN_NOTES = /[^\P{Cc}\n]|\p{Cs}/u;

/** A public key with its name, as others are given it. */
export type VerifierKey = {
  readonly name: string;
  /** 8 lower-case hex digits: the first 4 bytes of SHA-256 over name, line feed, 01 and the key. */
  readonly id: string;
  readonly publicKey: Uint8Array;
  /** name+id+base64, in one line. */
  readonly text: string;
};

/** Who can sign. */
export type Signer = { readonly key: VerifierKey; readonly sign: (bytes: Uint8Array) => Uint8Array };

export type NoteSignature = { readonly name: string; readonly keyId: string; readonly signature: Uint8Array };

export type Note = {
  /** What is signed, with its last line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
};

/** The key of a name. @throws SentinelError internal.bug for a name that no note can carry, or a key of another size. */
export function verifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  if (!KEY_NAME.test(name) || publicKey.length !== KEY_BYTES) {
    throw new SentinelError('internal.bug', { message: `'${name}' cannot name a key of ${publicKey.length} bytes.` });
  }
  const tagged = Buffer.concat([Buffer.from([ED25519]), publicKey]);
  const id = createHash('sha256')
    .update(`${name}\n`)
    .update(tagged)
    .digest('hex')
    .slice(0, 2 * ID_BYTES);
  return { name, id, publicKey: Uint8Array.from(publicKey), text: `${name}+${id}+${tagged.toString('base64')}` };
}

/**
 * Reads a key from its text; spaces around it do not matter.
 * @throws SentinelError ledger.input saying what is wrong with it.
 */
export function parseKey(text: string): VerifierKey {
  const line = text.trim();
  if (line.length > MAX_KEY_CHARACTERS) throw wrongKey(`it has ${line.length} characters, at most ${MAX_KEY_CHARACTERS} are read`);
  const [, name = '', id = '', encoded = ''] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/su.exec(line) ?? [];
  const tagged = fromBase64(encoded);
  if (name === '' || tagged === null) throw wrongKey('it is not NAME+8 HEX DIGITS+BASE64');
  if (tagged[0] !== ED25519) throw wrongKey(`its algorithm is ${tagged[0] ?? 'missing'}, and only Ed25519 (1) is known`);
  if (tagged.length !== KEY_BYTES + 1) throw wrongKey(`it has ${tagged.length - 1} bytes, and a key of Ed25519 has ${KEY_BYTES}`);
  if (!KEY_NAME.test(name)) throw wrongKey('its name has a space or a control character');
  const key = verifierKey(name, tagged.subarray(1));
  if (key.id !== id) throw wrongKey(`its id is ${id}, and the key's is ${key.id}: a part of it was changed`);
  return key;
}

/** The note with one signature. `text` must end with a line feed and have no empty line. */
export function signNote(text: string, { key, sign }: Signer): string {
  const signature = Buffer.concat([Buffer.from(key.id, 'hex'), sign(Buffer.from(text))]);
  return `${text}\n${DASH} ${key.name} ${signature.toString('base64')}\n`;
}

/** @throws SentinelError ledger.input saying what is wrong with it. */
export function parseNote(note: string): Note {
  if (note.length > MAX_NOTE_CHARACTERS) throw wrongNote(`it has ${note.length} characters, at most ${MAX_NOTE_CHARACTERS} are read`);
  if (NOT_IN_NOTES.test(note)) throw wrongNote('it has a control character, or half a surrogate pair');
  const middle = note.lastIndexOf('\n\n');
  if (middle < 1 || !note.endsWith('\n'))
    throw wrongNote('there is no empty line before its signatures, or it does not end with a line end');
  const lines = note.slice(middle + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) throw wrongNote(`it has ${lines.length} signatures, at most ${MAX_SIGNATURES} are read`);
  return { text: note.slice(0, middle + 1), signatures: lines.map(parseSignature) };
}

/** What the note has of this key: a signature that holds, one that does not, or none. */
export function verifyNote({ text, signatures }: Note, key: VerifierKey): 'valid' | 'invalid' | 'missing' {
  const found = signatures.find(({ name, keyId }) => name === key.name && keyId === key.id);
  if (found === undefined) return 'missing';
  return verifySignature(key, Buffer.from(text), found.signature) ? 'valid' : 'invalid';
}

/** Whether the signature is the key's over the bytes (Ed25519, RFC 8032). */
export function verifySignature(key: VerifierKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && verify(null, bytes, keyObjectOf(key), signature);
}

const keyObjects = new WeakMap<VerifierKey, KeyObject>();

/** Importing a key takes longer than verifying with it. */
function keyObjectOf(key: VerifierKey): KeyObject {
  let object = keyObjects.get(key);
  if (object === undefined) {
    object = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, key.publicKey]), format: 'der', type: 'spki' });
    keyObjects.set(key, object);
  }
  return object;
}

function parseSignature(line: string): NoteSignature {
  const [, name = '', encoded = ''] = /^\u2014 (\S+) (\S+)$/u.exec(line) ?? [];
  const bytes = fromBase64(encoded);
  if (name === '' || bytes === null || bytes.length <= ID_BYTES) throw wrongNote('a line after the empty one is not DASH NAME BASE64');
  return { name, keyId: Buffer.from(bytes.subarray(0, ID_BYTES)).toString('hex'), signature: bytes.subarray(ID_BYTES) };
}

/** The bytes, or null for what is not base64 to the last bit, as it is written: Node reads over everything else. */
export function fromBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? Uint8Array.from(bytes) : null;
}

function wrongKey(why: string): SentinelError {
  return new SentinelError('ledger.input', {
    message: 'This is no key of a ledger.',
    why,
    hint: 'Keys are printed by `sentinelcli audit key export`; give one line of it, whole.',
  });
}

function wrongNote(why: string): SentinelError {
  return new SentinelError('ledger.input', {
    message: 'This is no signed checkpoint.',
    why,
    hint: 'Take the whole text, from its first line to the line end after the signature.',
  });
}
