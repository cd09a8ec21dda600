import { spawn } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeHostBytes, encodeHostText } from '@sentineld/model/host-text';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createExecutableReader,
  isExecutableDeleted,
  readArguments,
  readOwner,
  splitArguments,
  type ExecutableReader,
} from './process-details.ts';

/** In a container the first process may be this user's. */
function isOwn(path: string): boolean {
  const uid = process.getuid?.();
  return uid === 0 || statSync(path).uid === uid;
}

let base = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sentineld-details-'));
});
afterEach(() => rmSync(base, { recursive: true }));

describe('splitArguments', () => {
  const split = (text: string): string[] => splitArguments(Buffer.from(text, 'latin1'));

  it.each([
    ['', []],
    ['a\0b\0', ['a', 'b']],
    ['a\0b', ['a', 'b']],
    ['\0', ['']],
    ['\0\0\0', ['', '', '']],
    ['a\0\0b\0', ['a', '', 'b']],
    ['\0a\0', ['', 'a']],
    ['nginx: worker\0\0\0', ['nginx: worker', '', '']],
    ['a b\nc\0', ['a b\nc']],
  ])('%j is %j', (text, argv) => {
    expect(split(text)).toEqual(argv);
  });

  it('keeps every byte', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ min: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 }), (list) => {
        const joined = Buffer.concat(list.flatMap((argument) => [Buffer.from(argument), Buffer.of(0)]));
        const argv = splitArguments(joined);
        expect(argv.map((text) => [...encodeHostText(text)])).toEqual(list.map((argument) => [...argument]));
        // The last NUL may be missing, unless it is all that there is of the last one.
        if ((list.at(-1)?.length ?? 0) > 0) expect(splitArguments(joined.subarray(0, -1))).toEqual(argv);
      }),
    );
  });
});

describe('readArguments', () => {
  const read = (content: Uint8Array | string, limit: number) => {
    writeFileSync(join(base, 'cmdline'), content);
    return readArguments(base, Buffer.alloc(limit + 1));
  };

  it('keeps what is as long as the limit, and says where something longer was cut', () => {
    expect(read('abc\0de\0', 7)).toEqual({ argv: ['abc', 'de'], unseen: null });
    expect(read('abc\0de\0', 6)).toEqual({ argv: ['abc', 'de'], unseen: { field: 'argv', reason: 'cut at 6 bytes' } });
    expect(read('abc\0de\0', 3)).toEqual({ argv: ['abc'], unseen: { field: 'argv', reason: 'cut at 3 bytes' } });
    expect(read('', 3)).toEqual({ argv: [], unseen: null });
  });

  it('cuts in the middle of a letter without losing its bytes', () => {
    expect(read('aü\0', 2)).toEqual({ argv: [decodeHostBytes(Buffer.of(0x61, 0xc3))], unseen: expect.anything() });
  });

  it('says why there are none', () => {
    expect(readArguments(join(base, 'none'), Buffer.alloc(8))).toEqual({ argv: null, unseen: { field: 'argv', reason: 'ENOENT' } });
    mkdirSync(join(base, 'cmdline'));
    expect(readArguments(base, Buffer.alloc(8))).toEqual({ argv: null, unseen: { field: 'argv', reason: 'EISDIR' } });
  });

  it('reads those of this process', () => {
    const expected = readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1);
    expect(readArguments('/proc/self', Buffer.alloc(131_073))).toEqual({ argv: expected, unseen: null });
  });
});

describe('createExecutableReader', () => {
  let readExecutable: ExecutableReader;
  beforeEach(() => {
    readExecutable = createExecutableReader();
  });

  it('says which file this process runs, by path and by inode', () => {
    const status = statSync(process.execPath, { bigint: true });
    expect(readExecutable('/proc/self')).toEqual({
      file: {
        path: process.execPath,
        dev: String(status.dev),
        inode: String(status.ino),
        sizeBytes: Number(status.size),
        mtimeNs: String(status.mtimeNs),
        ctimeNs: String(status.ctimeNs),
      },
      deleted: false,
      unseen: null,
    });
    expect(isExecutableDeleted('/proc/self')).toBe(false);
  });

  it('goes by links left, not by what the name ends in', () => {
    const name = join(base, 'x (deleted)');
    writeFileSync(name, '');
    symlinkSync(name, join(base, 'exe'));
    symlinkSync('/', join(base, 'root'));
    expect(readExecutable(base)).toMatchObject({ file: { path: name }, deleted: false });
    expect(isExecutableDeleted(base)).toBe(false);
  });

  it('gives the same object for a file that is met again, and another one when the file or its name changed', () => {
    const name = join(base, 'program');
    writeFileSync(name, 'one');
    symlinkSync(name, join(base, 'exe'));
    const first = readExecutable(base);
    expect(readExecutable(base)).toBe(first);
    writeFileSync(name, 'another');
    const second = readExecutable(base);
    expect(second.file).toMatchObject({ path: name, inode: first.file?.inode, sizeBytes: 7 });
    utimesSync(name, 1, 1);
    const third = readExecutable(base);
    expect(third.file).toMatchObject({ mtimeNs: '1000000000', sizeBytes: 7 });
    linkSync(name, join(base, 'other'));
    rmSync(join(base, 'exe'));
    symlinkSync(join(base, 'other'), join(base, 'exe'));
    expect(readExecutable(base).file).toMatchObject({ path: join(base, 'other'), inode: first.file?.inode });
  });

  it('is nothing for a process without one or that is gone, and nothing is withheld then', () => {
    expect(readExecutable(join(base, 'none'))).toEqual({ file: null, deleted: false, unseen: null });
    expect(isExecutableDeleted(join(base, 'none'))).toBeNull();
  });

  it('says what the kernel answered where it is withheld', () => {
    writeFileSync(join(base, 'exe'), 'no link');
    expect(readExecutable(base)).toEqual({ file: null, deleted: false, unseen: { field: 'exe', reason: 'EINVAL' } });
  });

  it.skipIf(isOwn('/proc/1'))("says EACCES for another user's (needs an unprivileged user, and an init that is not theirs)", () => {
    expect(readExecutable('/proc/1')).toEqual({ file: null, deleted: false, unseen: { field: 'exe', reason: 'EACCES' } });
    expect(isExecutableDeleted('/proc/1')).toBeNull();
  });
});

describe('readOwner', () => {
  it('is the effective owner of the process', () => {
    expect(readOwner('/proc/self')).toEqual({ uid: process.geteuid?.(), gid: process.getegid?.() });
    expect(readOwner('/proc/1')?.uid).toBe(statSync('/proc/1').uid);
  });

  it('is null for one that is gone', async () => {
    const child = spawn('true');
    await new Promise((resolve) => child.on('close', resolve));
    expect(readOwner(`/proc/${child.pid}`)).toBeNull();
  });
});
