import type { ExecutableFile, ProcessImage } from '@sentineld/model/process';
import { describe, expect, it } from 'vitest';
import { isSameImage } from './process-image.ts';

const FILE: ExecutableFile = { path: '/bin/a', dev: '1', inode: '2', sizeBytes: 3, mtimeNs: '4', ctimeNs: '5' };
const IMAGE: ProcessImage = {
  ppid: 1,
  name: 'a',
  exe: FILE,
  exeDeleted: false,
  argv: ['a', 'b'],
  redacted: 0,
  startTimeMs: 6,
  userId: 7,
  userName: 'u',
  groupId: 8,
  realUserId: 11,
  realGroupId: 12,
  loginUserId: 13,
  sessionId: 9,
  ttyNumber: 10,
  cwd: '/c',
  controlGroup: { path: '/x', containerId: null, runtime: null, podId: null, unit: 'x.service' },
  namespaces: { cgroup: 1, ipc: 2, mnt: 3, net: 4, pid: 5, user: 6, uts: 7 },
  isKernelThread: false,
  unseen: [{ field: 'argv', reason: 'cut' }],
};

describe('isSameImage', () => {
  it('is true of a copy', () => {
    expect(isSameImage(IMAGE, structuredClone(IMAGE))).toBe(true);
    expect(isSameImage({ ...IMAGE, exe: null, argv: null }, { ...IMAGE, exe: null, argv: null })).toBe(true);
  });

  const others: { readonly [Field in keyof ProcessImage]: readonly ProcessImage[Field][] } = {
    ppid: [2],
    name: ['b'],
    exe: [
      null,
      ...(Object.keys(FILE) as (keyof ExecutableFile)[]).map((field) => ({ ...FILE, [field]: field === 'sizeBytes' ? 0 : 'other' })),
    ],
    exeDeleted: [true],
    argv: [null, [], ['a'], ['a', 'c'], ['a', 'b', 'c']],
    redacted: [1],
    startTimeMs: [0],
    userId: [0, null],
    userName: ['v', null],
    groupId: [0, null],
    realUserId: [0, null],
    realGroupId: [0, null],
    loginUserId: [0, null],
    sessionId: [0],
    ttyNumber: [0],
    cwd: ['/', null],
    controlGroup: [null, { path: '/y', containerId: null, runtime: null, podId: null, unit: null }],
    namespaces: [null, { cgroup: 1, ipc: 2, mnt: 3, net: 4, pid: 5, user: 6, uts: 8 }],
    isKernelThread: [true],
    unseen: [[], [{ field: 'exe', reason: 'cut' }], [{ field: 'argv', reason: 'EACCES' }]],
  };

  it.each(Object.entries(others))('is false where %s is another', (field, values) => {
    for (const value of values) expect(isSameImage(IMAGE, { ...IMAGE, [field]: value }), JSON.stringify(value)).toBe(false);
  });
});
