import { chmodSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createUserNames, parsePasswd, READ_LIMIT_BYTES, USER_LIMIT } from './user-names.ts';

describe('parsePasswd', () => {
  it('takes the first of two names for one uid, and no line that is none', () => {
    const text =
      'root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n\n# comment\nshort:x\nbad:x:abc:0::/:\nneg:x:-1:0::/:\n:x:7:7::/:\nünï:x:1000:1000:::\n+::::::\n';
    expect([...parsePasswd(text)]).toEqual([
      [0, 'root'],
      [1000, 'ünï'],
    ]);
  });

  it.each([
    ['a line without a group', 'a:x:1', []],
    ['a group that is no number', 'a:x:1:staff:::', []],
    ['a uid beyond 32 bits', 'a:x:4294967296:1:::\nb:x:4294967295:1:::', [[4_294_967_295, 'b']]],
    ['a uid with signs or spaces', 'a:x:+1:1:::\nb:x: 2:1:::\nc:x:0x3:1:::\nd:x:1e3:1:::', []],
    ['entries that stand for a service', '+alice:x:1:1:::\n-bob:x:2:1:::\n+@staff::::::', []],
    ['spaces before', ' \troot:x:0:0:::', [[0, 'root']]],
    ['a name that is too long', `${'a'.repeat(257)}:x:1:1:::\n${'b'.repeat(256)}:x:2:2:::`, [[2, 'b'.repeat(256)]]],
    [
      'a last line without its end',
      'a:x:1:1:::\nb:x:2:2',
      [
        [1, 'a'],
        [2, 'b'],
      ],
    ],
    [
      'names of objects',
      '__proto__:x:1:1:::\nconstructor:x:2:2:::',
      [
        [1, '__proto__'],
        [2, 'constructor'],
      ],
    ],
    ['colons without end', ':'.repeat(100_000), []],
    ['nothing', '', []],
  ] as const)('reads %s', (_, text, expected) => {
    expect([...parsePasswd(text)]).toEqual(expected);
  });

  it('keeps so many users and no more', () => {
    const text = Array.from({ length: USER_LIMIT + 10 }, (_, uid) => `u${uid}:x:${uid}:0:::`).join('\n');
    const names = parsePasswd(text);
    expect([names.size, names.get(0), names.get(USER_LIMIT - 1)]).toEqual([USER_LIMIT, 'u0', `u${USER_LIMIT - 1}`]);
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

  it('sees a change that keeps time and size', () => {
    const file = join(directory, 'passwd');
    writeFileSync(file, 'alice:x:1000:1000:::\n');
    const { atime, mtime } = statSync(file);
    const users = createUserNames(file);
    writeFileSync(file, 'carol:x:1000:1000:::\n');
    utimesSync(file, atime, mtime);
    users.refresh();
    expect(users.nameOf(1000)).toBe('carol');
  });

  it('reads the whole lines at the beginning of a file of 100 MB', () => {
    const file = join(directory, 'passwd');
    const line = 'alice:x:1000:1000:::\n';
    const cut = `${'#'.repeat(READ_LIMIT_BYTES - line.length - 12)}\n`;
    writeFileSync(file, `${line}${cut}bob:x:1001:1001:::\n`);
    truncateSync(file, 100_000_000);
    const users = createUserNames(file);
    expect([users.nameOf(1000), users.nameOf(1001), users.nameOf(100)]).toEqual(['alice', null, null]);
  });

  it('keeps bytes that are no UTF-8', () => {
    const file = join(directory, 'passwd');
    writeFileSync(file, Buffer.from('j\xfcrgen:x:1000:1000:::\n', 'latin1'));
    expect(createUserNames(file).nameOf(1000)).toBe('j\u{10fffc}rgen');
  });

  it('knows nobody where the name is that of something else', () => {
    const file = join(directory, 'passwd');
    symlinkSync('passwd', file);
    const users = createUserNames(file);
    expect(users.nameOf(0)).toBeNull();
    expect(createUserNames(directory).nameOf(0)).toBeNull();
    expect(createUserNames('/dev/zero').nameOf(0)).toBeNull();
    rmSync(file);
    writeFileSync(file, 'root:x:0:0:::\n');
    users.refresh();
    expect(users.nameOf(0)).toBe('root');
  });

  it.skipIf(process.getuid?.() === 0)('knows nobody where the file may not be read (not as root)', () => {
    const file = join(directory, 'passwd');
    writeFileSync(file, 'root:x:0:0:::\n');
    chmodSync(file, 0);
    expect(createUserNames(file).nameOf(0)).toBeNull();
  });

  it('knows root on this machine', () => {
    expect(createUserNames().nameOf(0)).toBe('root');
  });
});
