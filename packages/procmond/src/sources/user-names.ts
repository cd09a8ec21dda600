/**
 * User names by uid, from /etc/passwd, read again when the file changes.
 */
import { readFileSync, statSync } from 'node:fs';

export type UserNames = {
  readonly nameOf: (uid: number) => string | null;
  /** Looks whether the file changed; to be called once a scan. */
  readonly refresh: () => void;
};

export function createUserNames(file: string = '/etc/passwd'): UserNames {
  let names = new Map<number, string>();
  let seen = '';
  const refresh = (): void => {
    const status = statSync(file, { throwIfNoEntry: false, bigint: true });
    const version = status === undefined ? 'none' : `${status.ino}:${status.size}:${status.mtimeNs}:${status.ctimeNs}`;
    if (version === seen) return;
    seen = version;
    names = status === undefined ? new Map<number, string>() : parsePasswd(readFileSync(file, 'utf8'));
  };
  refresh();
  return { nameOf: (uid) => names.get(uid) ?? null, refresh };
}

/** uid -> name of passwd(5); the first of several lines with one uid wins, as in getpwuid(3). */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name === undefined || name === '' || uid === undefined || !/^\d+$/.test(uid)) continue;
    if (!names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}
