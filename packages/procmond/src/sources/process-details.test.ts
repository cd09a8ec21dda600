import { spawn } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeHostBytes, encodeHostText } from '@sentineld/model/host-text';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { constants } from 'node:os';
import { createRedactor } from '@sentineld/model/redact';
import { NUMBER, SECTION, WANT } from '@sentineld/native/process-files';
import { redactNothing } from './fixtures/test-source.fixture.ts';
import { createProcFiles, readBelow, type ProcFiles } from './proc-files.ts';
import {
  createArgumentsReader,
  createExecutableReader,
  isExecutableDeleted,
  loginUserOf,
  readOwner,
  realOwnerOf,
  splitArguments,
  type Arguments,
  type Executable,
} from './process-details.ts';

/** What is read of a directory that stands for a process's. */
function filesOf(directory: string, wants: number, argvLimitBytes = 131_072): ProcFiles {
  const files = createProcFiles(argvLimitBytes, null);
  readBelow(directory, files.buffer, files.numbers, wants);
  return files;
}

/** What stands in a section. */
function filesWith(name: 'status' | 'loginuid', content: string): ProcFiles {
  const files = createProcFiles(0, null);
  files.numbers[NUMBER.real] = -constants.errno.ENOSYS;
  files.numbers[NUMBER[name]] = files.buffer.write(content, SECTION[name], 'latin1');
  return files;
}

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

describe('createArgumentsReader', () => {
  const readFrom = (directory: string, limit: number): Arguments =>
    createArgumentsReader(redactNothing)(filesOf(directory, WANT.cmdline, limit));
  const read = (content: Uint8Array | string, limit: number): Arguments => {
    writeFileSync(join(base, 'cmdline'), content);
    return readFrom(base, limit);
  };

  it('keeps what is as long as the limit, and says where something longer was cut', () => {
    expect(read('abc\0de\0', 7)).toEqual({ argv: ['abc', 'de'], redacted: 0, unseen: null });
    expect(read('abc\0de\0', 6)).toEqual({ argv: ['abc', 'de'], redacted: 0, unseen: { field: 'argv', reason: 'cut at 6 bytes' } });
    expect(read('abc\0de\0', 3)).toEqual({ argv: ['abc'], redacted: 0, unseen: { field: 'argv', reason: 'cut at 3 bytes' } });
    expect(read('', 3)).toEqual({ argv: [], redacted: 0, unseen: null });
  });

  it('cuts in the middle of a letter without losing its bytes', () => {
    expect(read('aü\0', 2)).toEqual({ argv: [decodeHostBytes(Buffer.of(0x61, 0xc3))], redacted: 0, unseen: expect.anything() });
  });

  it('says why there are none', () => {
    expect(readFrom(join(base, 'none'), 7)).toEqual({ argv: null, redacted: 0, unseen: { field: 'argv', reason: 'ENOENT' } });
    mkdirSync(join(base, 'cmdline'));
    expect(readFrom(base, 7)).toEqual({ argv: null, redacted: 0, unseen: { field: 'argv', reason: 'EISDIR' } });
  });

  it('reads those of this process', () => {
    const expected = readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1);
    expect(readFrom('/proc/self', 131_072)).toEqual({ argv: expected, redacted: 0, unseen: null });
  });

  it('makes the same of arguments whether they are clean or not', () => {
    const isClean = (bytes: Uint8Array, start: number, end: number): boolean => bytes.subarray(start, end).every((byte) => byte < 128);
    const files = createProcFiles(64, null);
    const reader = createArgumentsReader(Object.assign((argv: readonly string[]) => ({ argv, redacted: 0 }), { isClean }));
    const put = (text: string): Arguments => {
      files.numbers[NUMBER.cmdline] = files.buffer.write(text, SECTION.cmdline, 'latin1');
      return reader(files);
    };
    const text = fc.array(fc.constantFrom('app', 'appl', '-v', '', '\0', 'ä', 'x'), { maxLength: 8 }).map((parts) => parts.join('\0'));
    fc.assert(
      fc.property(text, (given) => {
        expect(put(given).argv).toEqual(splitArguments(Buffer.from(given, 'latin1')));
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the same text and the same list again where nothing is taken out of them', () => {
    const reader = createArgumentsReader(createRedactor({ enabled: true, names: [], patterns: [] }));
    const readArgv = (content: string): readonly string[] => {
      writeFileSync(join(base, 'cmdline'), content);
      return reader(filesOf(base, WANT.cmdline)).argv ?? [];
    };
    const first = readArgv('app\0-v\0');
    expect(first).toEqual(['app', '-v']);
    expect(readArgv('app\0-v\0')).toBe(first);
    expect(readArgv('app\0--token=a-secret\0')).toEqual(['app', '--token=[redacted]']);
    expect(readArgv('app\0-v\0')).toBe(first);
    expect(readArgv('app\0-v\0-x\0')).toEqual(['app', '-v', '-x']);
  });
});

describe('createExecutableReader', () => {
  let readExecutable: (directory: string) => Executable;
  beforeEach(() => {
    const reader = createExecutableReader();
    readExecutable = (directory) => reader(filesOf(directory, WANT.exe), directory);
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

describe('realOwnerOf', () => {
  const STATUS = 'Name:\tsh\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t0\t0\t0\nGid:\t4294967294\t5\t5\t5\nFDSize:\t64\n';

  it('takes the first of the ids in status', () => {
    expect(realOwnerOf(filesWith('status', STATUS))).toEqual({ uid: 1000, gid: 4_294_967_294, unseen: null });
  });

  it('is not told another owner by the name of a process', () => {
    const name = String.raw`Name:\tx\nUid:\t0`;
    expect(realOwnerOf(filesWith('status', `${name}\n${STATUS}`))).toEqual({ uid: 1000, gid: 4_294_967_294, unseen: null });
  });

  it('knows none where there is no such line, or the process is gone', () => {
    expect(realOwnerOf(filesWith('status', 'Name:\tsh\nUid:\t\n'))).toEqual({ uid: null, gid: null, unseen: null });
    expect(realOwnerOf(filesWith('status', ''))).toEqual({ uid: null, gid: null, unseen: null });
    expect(realOwnerOf(filesOf(join(base, 'none'), WANT.status))).toEqual({ uid: null, gid: null, unseen: null });
  });

  it('says what the kernel answered where it is withheld', () => {
    mkdirSync(join(base, 'status'));
    const unseen = { field: 'owner', reason: 'EISDIR' };
    expect(realOwnerOf(filesOf(base, WANT.status))).toEqual({ uid: null, gid: null, unseen });
  });

  it('is that of this process, and as the kernel says where it says it', () => {
    const own = { uid: process.getuid?.(), gid: process.getgid?.(), unseen: null };
    expect(realOwnerOf(filesOf('/proc/self', WANT.status))).toEqual(own);
    const files = filesWith('status', STATUS);
    files.numbers.set([0, 7, 8], NUMBER.real);
    expect(realOwnerOf(files)).toEqual({ uid: 7, gid: 8, unseen: null });
  });
});

describe('loginUserOf', () => {
  it.each([
    ['4294967295', null],
    ['0', 0],
    ['1000\n', 1000],
    ['', null],
    ['x', null],
  ])('%j is %j', (content, expected) => {
    expect(loginUserOf(filesWith('loginuid', content))).toBe(expected);
  });

  it('is null in a kernel without audit', () => {
    expect(loginUserOf(filesOf(base, WANT.loginuid))).toBeNull();
  });
});
