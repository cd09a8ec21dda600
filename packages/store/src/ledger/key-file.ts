/**
 * The private key of a ledger on disk: PKCS #8 in PEM, readable by its owner alone. A new one lies beside the old until the
 * ledger has an entry that names it; only then it takes its place. So a crash at any moment leaves a key that is known.
 */
import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { SentinelError, errnoOf, reasonOf } from '@sentineld/model/error';
import { syncDirectory } from './sync.ts';

/** A key that can sign, without the name of a ledger. */
export type PrivateKey = { readonly publicKey: Uint8Array; readonly sign: (bytes: Uint8Array) => Uint8Array };

export type KeyDirectory = {
  /** Path of the key in use, for people. */
  readonly path: string;
  /** The key in use; null where there is none. Throws state.unusable where others may read it, ledger.input where it is no key. */
  readonly current: () => PrivateKey | null;
  /** A key that is to take its place; null where there is none, or only a part of one. */
  readonly next: () => PrivateKey | null;
  /** Makes a key and puts it on disk as the next one. */
  readonly prepare: () => PrivateKey;
  /** The next key takes the place of the one in use. */
  readonly install: () => void;
  /** Removes the next key. */
  readonly discard: () => void;
};

const FILE_NAME = 'ledger.pem';
/** A key in PEM has 119 bytes. */
const MAX_FILE_BYTES = 4_096;

/**
 * Makes the directory (0700) where there is none.
 * @throws SentinelError state.unusable where it belongs to somebody else, is open to others, or cannot be made or written.
 */
export function openKeyDirectory(directory: string): KeyDirectory {
  const path = join(directory, FILE_NAME);
  const nextPath = `${path}.new`;
  orUnusable(directory, () => prepareDirectory(directory));
  return {
    path,
    current: () => readKey(path),
    next: () => {
      try {
        return readKey(nextPath);
      } catch (thrown) {
        // It was not finished, and no entry names it.
        if (thrown instanceof SentinelError) return null;
        throw thrown;
      }
    },
    prepare: () => orUnusable(nextPath, () => writeKey(directory, nextPath)),
    install: () =>
      orUnusable(path, () => {
        renameSync(nextPath, path);
        syncDirectory(directory);
      }),
    discard: () => orUnusable(nextPath, () => rmSync(nextPath, { force: true })),
  };
}

function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
    syncDirectory(dirname(directory));
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  }
  const found = lstatSync(directory);
  if (!found.isDirectory()) throw unusable(directory, 'it is not a directory', 'Move it away.');
  requireOwn(directory, found.uid);
  if ((found.mode & 0o022) !== 0)
    throw unusable(directory, 'others may write to it', `Run \`chmod 700\` on it, and look who put what there.`);
}

function writeKey(directory: string, path: string): PrivateKey {
  rmSync(path, { force: true });
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const descriptor = openSync(path, flags, 0o600);
  try {
    // Fewer bytes than a block: they go in one piece or not at all.
    if (writeSync(descriptor, pem) !== pem.length) throw unusable(path, 'it could not be written whole', 'Make space on its file system.');
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  syncDirectory(directory);
  return keyFrom(privateKey);
}

/** Looks at the opened file, so that nobody can put another in its place between. */
function readKey(path: string): PrivateKey | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return null;
    const why = errnoOf(thrown) === 'ELOOP' ? 'it is a symbolic link' : reasonOf(thrown);
    throw unusable(path, why, 'The key must be an ordinary file that belongs to the user that procmond runs as.', thrown);
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw unusable(path, 'it is not an ordinary file', 'Move it away.');
    requireOwn(path, found.uid);
    if ((found.mode & 0o077) !== 0) {
      throw unusable(path, 'others may read or write it', 'Run `chmod 600` on it; if others can have read it, rotate the key.');
    }
    const bytes = Buffer.alloc(MAX_FILE_BYTES);
    return parsePrivateKey(path, bytes.toString('utf8', 0, readSync(descriptor, bytes)));
  } finally {
    closeSync(descriptor);
  }
}

function parsePrivateKey(path: string, pem: string): PrivateKey {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem', type: 'pkcs8' });
  } catch (cause) {
    throw noKey(path, 'it is not a private key in PEM', cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw noKey(path, `its algorithm is ${key.asymmetricKeyType ?? 'unknown'}, not Ed25519`);
  return keyFrom(key);
}

function keyFrom(privateKey: KeyObject): PrivateKey {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return { publicKey: Buffer.from(x, 'base64url'), sign: (bytes) => sign(null, bytes, privateKey) };
}

function requireOwn(path: string, uid: number): void {
  const user = process.geteuid?.() ?? uid;
  if (uid !== user)
    throw unusable(path, `it is owned by user ${uid}, not by ${user} who signs with it`, 'Give it to the user that procmond runs as.');
}

function orUnusable<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof SentinelError) throw thrown;
    throw unusable(path, reasonOf(thrown), 'Look at the free space and the permissions there.', thrown);
  }
}

function unusable(path: string, why: string, hint: string, cause?: unknown): SentinelError {
  return new SentinelError('state.unusable', {
    message: `${path} cannot be used for the key of the ledger.`,
    why,
    hint,
    cause,
    context: { path },
  });
}

function noKey(path: string, why: string, cause?: unknown): SentinelError {
  return new SentinelError('ledger.input', {
    message: `${path} is no key of a ledger.`,
    why,
    hint: 'Put the right file back; without it move this one away: then a new key is made, and the ledger says so.',
    cause,
    context: { path },
  });
}
