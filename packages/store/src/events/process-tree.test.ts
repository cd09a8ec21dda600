import type { ProcessRecord } from '@sentineld/model/process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { executable, image, openStore, record, type Row, type TestStore } from './fixtures/scans.fixture.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

describe('process_tree', () => {
  const tree = (): readonly Row[] => store.rows('SELECT pid, root_pid, depth, path FROM process_tree ORDER BY pid');
  const named = (pid: number, ppid: number, name: string): ProcessRecord =>
    record(pid, { image: image({ ppid, name, exe: executable(`/bin/${name}`) }) });

  it('goes from those without a parent down', () => {
    store.write([
      named(1, 0, 'init'),
      named(2, 0, 'kthreadd'),
      named(10, 1, 'sshd'),
      named(20, 10, 'bash'),
      named(21, 10, 'zsh'),
      named(30, 999, 'orphan'),
    ]);
    expect(tree()).toEqual([
      { pid: 1, root_pid: 1, depth: 0, path: 'init' },
      { pid: 2, root_pid: 2, depth: 0, path: 'kthreadd' },
      { pid: 10, root_pid: 1, depth: 1, path: 'init > sshd' },
      { pid: 20, root_pid: 1, depth: 2, path: 'init > sshd > bash' },
      { pid: 21, root_pid: 1, depth: 2, path: 'init > sshd > zsh' },
      { pid: 30, root_pid: 30, depth: 0, path: 'orphan' },
    ]);
    expect(store.rows('SELECT exe_path FROM process_tree WHERE pid = 20')).toEqual([{ exe_path: '/bin/bash' }]);
  });

  it('ends where pids that were given again make a circle, or a process seems its own parent', () => {
    store.write([
      named(1, 0, 'init'),
      named(10, 11, 'a'),
      named(11, 12, 'b'),
      named(12, 10, 'c'),
      named(13, 12, 'd'),
      named(20, 20, 'self'),
    ]);
    expect(tree()).toEqual([{ pid: 1, root_pid: 1, depth: 0, path: 'init' }]);
  });

  it('goes down 64 levels and no further', () => {
    store.write(Array.from({ length: 200 }, (_, index) => named(index + 1, index, 'p')));
    expect(store.rows('SELECT count(*) AS n, max(depth) AS deepest FROM process_tree')).toEqual([{ n: 65, deepest: 64 }]);
  });

  it('is of the newest scan', () => {
    store.write([named(1, 0, 'init'), named(10, 1, 'gone')]);
    store.write([named(1, 0, 'init')]);
    expect(tree()).toHaveLength(1);
  });
});
