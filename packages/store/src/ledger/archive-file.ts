/**
 * Writes an archive so that it is there whole or not at all, and reads it back before anybody relies on it.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SentinelError, reasonOf } from '@sentineld/model/error';
import { syncDirectory } from './sync.ts';

export type ArchiveFile = {
  readonly path: string;
  /** Of its bytes, lower-case hex. */
  readonly sha256: string;
};

const PARTIAL_NAME = /^\.ledger-[0-9]+-[0-9]+\.jsonl\.partial$/;
const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;
const CHUNK_BYTES = 256 * 1024;

type Digest = { readonly sha256: string; readonly sizeBytes: number };

/**
 * A file of this name that has the same bytes is left as it is: it is of an archive that was interrupted.
 * @throws SentinelError state.unusable where it cannot be written, does not read back as it was written, or another is in the way.
 */
export async function writeArchiveFile(directory: string, name: string, lines: AsyncIterable<string>): Promise<ArchiveFile> {
  const path = join(directory, name);
  const partial = join(directory, `.${name}.partial`);
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    syncDirectory(dirname(directory));
    // What an interrupted archive left behind.
    for (const found of readdirSync(directory)) if (PARTIAL_NAME.test(found)) rmSync(join(directory, found), { force: true });
    const written = await writeLines(partial, lines);
    requireSame(path, written, await digestOf(partial));
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) renameSync(partial, path);
    else requireSame(path, written, await digestOf(path));
    rmSync(partial, { force: true });
    syncDirectory(directory);
    return { path, sha256: written.sha256 };
  } catch (thrown) {
    removeQuietly(partial);
    if (thrown instanceof SentinelError) throw thrown;
    throw unusable(path, reasonOf(thrown), thrown);
  }
}

/** What cannot be removed now is removed by the next archive of this name; what is told is why this one failed. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The directory is none, or may not be written.
  }
}

async function writeLines(path: string, lines: AsyncIterable<string>): Promise<Digest> {
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, FILE_MODE);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const write = (text: string): void => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += writeSync(descriptor, bytes, at));
    hash.update(bytes);
    sizeBytes += bytes.length;
  };
  try {
    fchmodSync(descriptor, FILE_MODE);
    let waiting = '';
    for await (const line of lines) {
      waiting += line;
      if (waiting.length < CHUNK_BYTES) continue;
      write(waiting);
      waiting = '';
    }
    write(waiting);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

async function digestOf(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(buffer);
      if (bytesRead === 0) return { sha256: hash.digest('hex'), sizeBytes };
      hash.update(buffer.subarray(0, bytesRead));
      sizeBytes += bytesRead;
    }
  } finally {
    await handle?.close();
  }
}

function requireSame(path: string, written: Digest, found: Digest): void {
  if (found.sha256 === written.sha256 && found.sizeBytes === written.sizeBytes) return;
  throw unusable(path, `it has ${found.sizeBytes} bytes and not the ${written.sizeBytes} that belong there, or others`);
}

function unusable(path: string, why: string, cause?: unknown): SentinelError {
  return new SentinelError('state.unusable', {
    message: `The archive ${path} cannot be written.`,
    why,
    hint: 'Look at the free space and the permissions there, and move away what has its name; nothing was removed from the ledger.',
    cause,
    context: { path },
  });
}
