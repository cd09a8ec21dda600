import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { executable, image, openStore, record, type TestStore } from './fixtures/scans.fixture.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

const HASH = 'ab'.repeat(32);
const running = (pid: number, exe: ReturnType<typeof executable> | null) => record(pid, { image: image({ exe }) });
const pending = (): string[] =>
  store
    .writer()
    .executables.pending()
    .map(({ file }) => file.path);
const idOf = (path: string): number =>
  store
    .writer()
    .executables.pending()
    .find(({ file }) => file.path === path)?.id ?? -1;
const hash = (path: string, sha256 = HASH): void => store.writer().executables.recordHash(idOf(path), { sha256 });

describe('an executable', () => {
  it('is one row however many run it, and another for another version or path of it', () => {
    store.write([running(1, executable('/a')), running(2, executable('/a')), running(3, null)]);
    expect(store.count('executable')).toBe(1);
    const versions = [{ inode: '9' }, { dev: '9' }, { sizeBytes: 9 }, { mtimeNs: '9' }, { ctimeNs: '9' }].map((change) =>
      executable('/a', '/a', change),
    );
    store.write([...versions, executable('/b', '/a')].map((exe, index) => running(index + 1, exe)));
    expect(store.count('executable')).toBe(7);
    store.write([running(1, executable('/a'))]);
    expect(store.count('executable')).toBe(7);
  });

  it('is pending as long as somebody runs it and its hash is not known', () => {
    store.write([running(1, executable('/a')), running(2, executable('/a')), running(3, executable('/b'))]);
    expect(pending()).toEqual(['/a', '/b']);
    hash('/a');
    expect(pending()).toEqual(['/b']);
    store.write([running(2, executable('/a'))]);
    expect(pending()).toEqual([]);
    store.write([running(2, executable('/a')), running(4, executable('/b'))]);
    expect(pending()).toEqual(['/b']);
    expect(store.rows('SELECT pid, exe_hash FROM processes ORDER BY pid')).toEqual([
      { pid: 2, exe_hash: HASH },
      { pid: 4, exe_hash: null },
    ]);
  });

  it('counts those who run it through changes that are not of it', () => {
    store.write([running(1, executable('/a')), running(2, executable('/a'))]);
    store.write([record(1, { image: image({ exe: executable('/a'), ppid: 7 }) }), running(2, executable('/a'))]);
    store.write([running(2, executable('/a'))]);
    expect(pending()).toEqual(['/a']);
    store.write([]);
    expect(pending()).toEqual([]);
    expect(store.writer().executables.counts()).toEqual({ pending: 0, unreadable: 0 });
  });

  it('has the hash that was found under another path of the same file', () => {
    store.write([running(1, executable('/a', '7'))]);
    hash('/a');
    store.write([running(1, executable('/a', '7')), running(2, executable('/other/name', '7'))]);
    expect(pending()).toEqual([]);
    expect(store.rows("SELECT exe_hash FROM processes WHERE exe_path = '/other/name'")).toEqual([{ exe_hash: HASH }]);
    // Not of another version of it.
    store.write([running(3, executable('/other/name', '7', { mtimeNs: '8' }))]);
    expect(pending()).toEqual(['/other/name']);
  });

  it('that cannot be read is said to be so, not tried again, and nobody else takes that for a hash', () => {
    store.write([running(1, executable('/a', '7'))]);
    store.writer().executables.recordHash(idOf('/a'), { error: 'EACCES' });
    expect(pending()).toEqual([]);
    expect(store.writer().executables.counts()).toEqual({ pending: 0, unreadable: 1 });
    expect(store.rows('SELECT hash_state, hash_error, sha256 FROM executable')).toEqual([
      { hash_state: 'unreadable', hash_error: 'EACCES', sha256: null },
    ]);
    store.write([running(1, executable('/a', '7')), running(2, executable('/b', '7'))]);
    expect(pending()).toEqual(['/b']);
    expect(store.rows('SELECT hashes_unreadable FROM coverage WHERE scan_id = 2')).toEqual([{ hashes_unreadable: 1 }]);
  });

  it('is known again after a start, with what was found out', () => {
    store.write([running(1, executable('/a')), running(2, executable('/b')), running(3, executable('/c'))]);
    hash('/a');
    store.writer().executables.recordHash(idOf('/b'), { error: 'EIO' });
    store.restart();
    // Nobody is seen to run anything yet.
    expect(pending()).toEqual([]);
    store.write([running(1, executable('/a')), running(2, executable('/b')), running(3, executable('/c'))]);
    expect(pending()).toEqual(['/c']);
    expect(store.writer().executables.counts()).toEqual({ pending: 1, unreadable: 1 });
    store.write([]);
    expect(store.writer().executables.counts()).toEqual({ pending: 0, unreadable: 0 });
  });

  it('that changed while the collector was away is counted once', () => {
    store.write([running(1, executable('/a'))]);
    store.restart();
    store.write([running(1, executable('/b'))]);
    expect(pending()).toEqual(['/b']);
    store.write([]);
    expect(pending()).toEqual([]);
  });

  it('gets a hash though nobody runs it any more when that is known', () => {
    store.write([running(1, executable('/a'))]);
    const id = idOf('/a');
    store.write([]);
    store.writer().executables.recordHash(id, { sha256: HASH });
    store.write([running(5, executable('/a'))]);
    expect(pending()).toEqual([]);
    expect(store.rows('SELECT exe_hash FROM processes')).toEqual([{ exe_hash: HASH }]);
  });
});
