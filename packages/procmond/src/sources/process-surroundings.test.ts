import { NAMESPACE_KINDS } from '@sentineld/model/process';
import { NUMBER, SECTION } from '@sentineld/native/process-files';
import { constants } from 'node:os';
import { beforeEach, describe, expect, it } from 'vitest';
import { createProcFiles, type ProcFiles } from './proc-files.ts';
import { createSurroundingsReader, type SurroundingsReader } from './process-surroundings.ts';

const { EACCES, ENOENT, ESRCH } = constants.errno;

let files: ProcFiles;
let read: SurroundingsReader;
beforeEach(() => {
  files = createProcFiles(4096, null);
  read = createSurroundingsReader();
  put('cwd', '/home');
  put('cgroup', '0::/init.scope\n');
  putNamespaces(1, 2, 3, 4, 5, 6, 7);
});

function put(name: 'cwd' | 'cgroup', content: string): void {
  files.numbers[NUMBER[name]] = files.buffer.write(content, SECTION[name], 'latin1');
}

function putNamespaces(...numbers: readonly number[]): void {
  files.numbers.set(numbers, NUMBER.namespaces);
}

const set = (...numbers: readonly number[]) => Object.fromEntries(NAMESPACE_KINDS.map((kind, i) => [kind, numbers[i]]));

describe('createSurroundingsReader', () => {
  it('gives what was read, and the same objects for the same again', () => {
    const first = read(files, false);
    expect(first).toEqual({
      cwd: { value: '/home', unseen: null },
      controlGroup: { value: { path: '/init.scope', containerId: null, runtime: null, podId: null, unit: 'init.scope' }, unseen: null },
      namespaces: { value: set(1, 2, 3, 4, 5, 6, 7), unseen: null },
    });
    putNamespaces(1, 2, 8, 4, 5, 6, 7);
    put('cgroup', '0::/other\n');
    const other = read(files, false);
    expect(other.namespaces.value).toEqual(set(1, 2, 8, 4, 5, 6, 7));
    putNamespaces(1, 2, 3, 4, 5, 6, 7);
    put('cgroup', '0::/init.scope\n');
    const again = read(files, false);
    expect(again.namespaces.value).toBe(first.namespaces.value);
    expect(again.controlGroup.value).toBe(first.controlGroup.value);
  });

  it('says what the kernel withholds, and of a kernel thread that nothing is missed', () => {
    for (const place of [NUMBER.cwd, NUMBER.cgroup, NUMBER.namespaces + 3]) files.numbers[place] = -EACCES;
    expect(read(files, false)).toEqual({
      cwd: { value: null, unseen: { field: 'cwd', reason: 'EACCES' } },
      controlGroup: { value: null, unseen: { field: 'cgroup', reason: 'EACCES' } },
      namespaces: { value: null, unseen: { field: 'namespaces', reason: 'EACCES' } },
    });
    const nothing = { value: null, unseen: null };
    expect(read(files, true)).toEqual({ cwd: nothing, controlGroup: nothing, namespaces: nothing });
  });

  it.each([ENOENT, ESRCH])('has nothing of a process that has ended (errno %d)', (errno) => {
    for (const place of [NUMBER.cwd, NUMBER.cgroup]) files.numbers[place] = -errno;
    // It gives them up one after the other.
    putNamespaces(-errno, -errno, -errno, -errno, 5, 6, -errno);
    const nothing = { value: null, unseen: null };
    expect(read(files, false)).toEqual({ cwd: nothing, controlGroup: nothing, namespaces: nothing });
  });

  it('has 0 for a kind of namespace that the kernel lacks', () => {
    putNamespaces(-ENOENT, 2, 3, 4, 5, -ENOENT, 7);
    expect(read(files, false).namespaces.value).toEqual(set(0, 2, 3, 4, 5, 0, 7));
  });
});
