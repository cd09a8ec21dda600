/**
 * The table of executables: each version of each file once, with its SHA-256 once it is known. A file that was hashed
 * in an earlier run, or under another name, is not hashed again.
 */
import type { ExecutableFile } from '@sentineld/model/process';
import type { WriterDatabase } from '../open.ts';
import { epochOf } from './epoch.ts';

export type HashState = 'pending' | 'hashed' | 'unreadable';
export type HashResult = { readonly sha256: string } | { readonly error: string };

export type ExecutableTable = {
  /** Id of the row, made where there is none. Counts one running image of it, which begins with the scan. */
  readonly acquire: (file: ExecutableFile, scanId: number) => number;
  /** One running image of it less. */
  readonly release: (id: number) => void;
  /** Files that running processes use and whose hash is not known. */
  readonly pending: () => readonly { readonly id: number; readonly file: ExecutableFile }[];
  readonly recordHash: (id: number, result: HashResult) => void;
  /** Of the files in use: how many are still to be hashed, and how many cannot be. */
  readonly counts: () => { readonly pending: number; readonly unreadable: number };
};

type Used = { readonly file: ExecutableFile; readonly key: string; state: HashState; images: number; usedScan: number };
type Row = { readonly id: number; readonly hash_state: HashState; readonly used_scan: number };

export function createExecutableTable(db: WriterDatabase): ExecutableTable {
  const find = db.prepare<[string, string, number, string, string, string], Row>(
    'SELECT id, hash_state, used_scan FROM executable WHERE dev = ? AND inode = ? AND size_bytes = ? AND mtime_ns = ? AND ctime_ns = ? AND path = ?',
  );
  const insert = db.prepare<[string, string, string, number, string, string, string | null, HashState, number]>(
    'INSERT INTO executable (path, dev, inode, size_bytes, mtime_ns, ctime_ns, sha256, hash_state, used_scan) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const setUsed = db.prepare<[number, number]>('UPDATE executable SET used_scan = ? WHERE id = ?');
  const hashOfSameFile = db
    .prepare<[string, string, number, string, string], string>(
      `SELECT sha256 FROM executable WHERE dev = ? AND inode = ? AND size_bytes = ? AND mtime_ns = ? AND ctime_ns = ? AND hash_state = 'hashed' LIMIT 1`,
    )
    .pluck();
  const setHash = db.prepare<[string | null, HashState, string | null, number]>(
    'UPDATE executable SET sha256 = ?, hash_state = ?, hash_error = ? WHERE id = ?',
  );
  const used = new Map<number, Used>();
  /** Ids of those that are in use. */
  const idByKey = new Map<string, number>();
  const noteUse = (id: number, usedScan: number, scanId: number): void => {
    // Once in an epoch is enough to tell retention that images of this epoch use it.
    if (usedScan < epochOf(scanId)) setUsed.run(scanId, id);
  };
  const lookUp = (file: ExecutableFile, scanId: number): Row => {
    const known = find.get(file.dev, file.inode, file.sizeBytes, file.mtimeNs, file.ctimeNs, file.path);
    if (known !== undefined) return known;
    const sha256 = hashOfSameFile.get(file.dev, file.inode, file.sizeBytes, file.mtimeNs, file.ctimeNs) ?? null;
    const state: HashState = sha256 === null ? 'pending' : 'hashed';
    const { path, dev, inode, sizeBytes, mtimeNs, ctimeNs } = file;
    const { lastInsertRowid } = insert.run(path, dev, inode, sizeBytes, mtimeNs, ctimeNs, sha256, state, scanId);
    return { id: Number(lastInsertRowid), hash_state: state, used_scan: scanId };
  };
  return {
    acquire: (file, scanId) => {
      const key = keyOf(file);
      const id = idByKey.get(key);
      const entry = id === undefined ? undefined : used.get(id);
      if (id !== undefined && entry !== undefined) {
        noteUse(id, entry.usedScan, scanId);
        entry.usedScan = scanId;
        entry.images++;
        return id;
      }
      const row = lookUp(file, scanId);
      noteUse(row.id, row.used_scan, scanId);
      used.set(row.id, { file, key, state: row.hash_state, images: 1, usedScan: scanId });
      idByKey.set(key, row.id);
      return row.id;
    },
    release: (id) => {
      const entry = used.get(id);
      if (entry === undefined) return;
      entry.images--;
      if (entry.images > 0) return;
      used.delete(id);
      idByKey.delete(entry.key);
    },
    pending: () => [...used].filter(([, entry]) => entry.state === 'pending').map(([id, { file }]) => ({ id, file })),
    recordHash: (id, result) => {
      const state: HashState = 'sha256' in result ? 'hashed' : 'unreadable';
      setHash.run('sha256' in result ? result.sha256 : null, state, 'error' in result ? result.error : null, id);
      const entry = used.get(id);
      if (entry !== undefined) entry.state = state;
    },
    counts: () => {
      const states = [...used.values()].map((entry) => entry.state);
      return {
        pending: states.filter((state) => state === 'pending').length,
        unreadable: states.filter((state) => state === 'unreadable').length,
      };
    },
  };
}

/** The path comes last, so that nobody can choose one that makes two files have one key. */
function keyOf({ path, dev, inode, sizeBytes, mtimeNs, ctimeNs }: ExecutableFile): string {
  return `${dev},${inode},${sizeBytes},${mtimeNs},${ctimeNs},${path}`;
}
