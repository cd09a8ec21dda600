import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createUserNames, parsePasswd } from './user-names.ts';

describe('parsePasswd', () => {
  it('takes the first of two names for one uid, and no line that is none', () => {
    const text =
      'root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n\n# comment\nshort:x\nbad:x:abc:0::/:\nneg:x:-1:0::/:\n:x:7:7::/:\nünï:x:1000:1000:::\n+::::::\n';
    expect([...parsePasswd(text)]).toEqual([
      [0, 'root'],
      [1000, 'ünï'],
    ]);
  });
});

describe('createUserNames', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-users-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('reads the file again when it was changed or replaced, and not before it is told to look', () => {
    const file = join(directory, 'passwd');
    writeFileSync(file, 'alice:x:1000:1000:::\n');
    const users = createUserNames(file);
    expect([users.nameOf(1000), users.nameOf(1001)]).toEqual(['alice', null]);
    writeFileSync(file, 'alice:x:1000:1000:::\nbob:x:1001:1001:::\n');
    expect(users.nameOf(1001)).toBeNull();
    users.refresh();
    expect(users.nameOf(1001)).toBe('bob');
    // As vipw does it: another file takes the name, of the same size.
    writeFileSync(`${file}+`, 'alice:x:1000:1000:::\nmal:x:1001:1001:::\n');
    renameSync(`${file}+`, file);
    users.refresh();
    expect(users.nameOf(1001)).toBe('mal');
  });

  it('knows nobody where there is no file, until there is one', () => {
    const file = join(directory, 'passwd');
    const users = createUserNames(file);
    expect(users.nameOf(0)).toBeNull();
    writeFileSync(file, 'root:x:0:0:::\n');
    users.refresh();
    expect(users.nameOf(0)).toBe('root');
    rmSync(file);
    users.refresh();
    expect(users.nameOf(0)).toBeNull();
  });

  it('knows root on this machine', () => {
    expect(createUserNames().nameOf(0)).toBe('root');
  });
});
