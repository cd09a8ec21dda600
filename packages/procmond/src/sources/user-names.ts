/**
 * User names by uid, from /etc/passwd, read again when the file changes. Names that only a directory service knows are
 * not among them: asking one could take a network. What is read and kept is bounded, whatever the file holds.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { decodeHostBytes } from '@sentineld/model/host-text';

export type UserNames = {
  /** Null where the file names nobody of this uid, or cannot be read. */
  readonly nameOf: (uid: number) => string | null;
  /** Looks whether the file changed; to be called once a scan. */
  readonly refresh: () => void;
};

/** Only so much of the file is read, up to the last whole line. */
export const READ_LIMIT_BYTES = 4_194_304;
/** More users are not kept, and no longer names. */
export const USER_LIMIT = 50_000;
const NAME_LIMIT = 256;
const HIGHEST_UID = 4_294_967_295;

export function createUserNames(file: string = '/etc/passwd'): UserNames {
  let names: ReadonlyMap<number, string> = new Map<number, string>();
  let seen = '';
  const refresh = (): void => {
    const version = versionOf(file);
    if (version === seen) return;
    seen = version;
    const head = version === '' ? null : readHead(file);
    names = head === null ? new Map() : parsePasswd(decodeHostBytes(head));
  };
  refresh();
  return { nameOf: (uid) => names.get(uid) ?? null, refresh };
}

/** What changes with a file's content: it was written, or another file took its name. Empty where there is none. */
function versionOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return '';
  }
}

/** The beginning of a regular file, whole lines of it; null where it cannot be read. */
function readHead(file: string): Buffer | null {
  let descriptor: number;
  try {
    // Whatever else may have taken the name is not waited for.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) return null;
    const buffer = Buffer.allocUnsafeSlow(Math.min(status.size, READ_LIMIT_BYTES));
    let length = 0;
    for (let got = -1; got !== 0 && length < buffer.length; length += got) {
      got = readSync(descriptor, buffer, length, buffer.length - length, length);
    }
    const isWhole = length === status.size;
    return buffer.subarray(0, isWhole ? length : buffer.lastIndexOf(10, length - 1) + 1);
  } catch {
    return null;
  } finally {
    closeSync(descriptor);
  }
}

/** uid -> name of passwd(5); the first of several lines with one uid wins, as in getpwuid(3). */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (let at = 0; at < text.length && names.size < USER_LIMIT;) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    // Of a line as long as the file only the fields that are needed.
    const [name, , uid, gid] = text.slice(at, end).trimStart().split(':', 4);
    at = end + 1;
    if (name === undefined || uid === undefined || gid === undefined || !isName(name)) continue;
    if (!/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid) || Number(uid) > HIGHEST_UID) continue;
    if (!names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

/** Not a comment, not an entry that stands for another service's (`+`, `-`). */
function isName(name: string): boolean {
  return name !== '' && name.length <= NAME_LIMIT && !/^[#+-]/.test(name);
}
