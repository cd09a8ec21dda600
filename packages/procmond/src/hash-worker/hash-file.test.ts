import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutableFile } from '@sentineld/model/process';
import { loadNative } from '@sentineld/native/addon';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherCrew } from '../sources/fixtures/crew.fixture.ts';
import { createTestSource } from '../sources/fixtures/test-source.fixture.ts';
import { createDigest, createPace, hashFile, type Digest, type FileHash } from './hash-file.ts';

const LIMIT = 100_000_000;
const buffer = Buffer.alloc(4096);
const atOnce = createDigest(buffer, async () => {});
const addon = loadNative();
/** The same by JavaScript and, where the addon is, by the addon. */
const digests: [string, Digest][] = [['JavaScript', atOnce]];
if (addon.available) digests.push(['the addon', (descriptor, sizeBytes) => addon.native.hashFile(descriptor, sizeBytes, 2 ** 40, 1)]);
else console.log(`hash-file.test.ts: ${addon.reason}: only JavaScript hashes`);

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-hashing-'));
  path = join(directory, 'file');
});
afterEach(() => rmSync(directory, { recursive: true }));

function fileAt(at: string): ExecutableFile {
  const status = statSync(at, { bigint: true });
  return {
    path: at,
    dev: String(status.dev),
    inode: String(status.ino),
    sizeBytes: Number(status.size),
    mtimeNs: String(status.mtimeNs),
    ctimeNs: String(status.ctimeNs),
  };
}

function make(content: Uint8Array | string, at = path): ExecutableFile {
  writeFileSync(at, content);
  return fileAt(at);
}

const resultOf = async (at: string, file: ExecutableFile, limitBytes = LIMIT, digest = atOnce): Promise<FileHash> =>
  (await hashFile({ path: at, file }, limitBytes, digest)).result;
const sha256 = (content: Uint8Array | string): FileHash => ({ sha256: createHash('sha256').update(content).digest('hex') });
const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe.each(digests)('hashFile by %s', (_name, digest) => {
  it.each([0, 1, 4095, 4096, 4097, 100_000])('is SHA-256 of a content of %d bytes, which it counts', async (length) => {
    const content = randomBytes(length);
    const before = descriptors();
    expect(await hashFile({ path, file: make(content) }, LIMIT, digest)).toEqual({ result: sha256(content), bytesRead: length });
    expect(descriptors()).toBe(before);
  });

  it('says which errno stopped it', async () => {
    const file = make('12345');
    const failing: Digest = async (descriptor, sizeBytes) => {
      closeSync(descriptor);
      const answer = await digest(descriptor, sizeBytes);
      expect(openSync('/dev/null', 'r')).toBe(descriptor);
      return answer;
    };
    expect(await hashFile({ path, file }, LIMIT, failing)).toEqual({ result: { error: 'EBADF' }, bytesRead: 0 });
  });

  const content = randomBytes(20_000);
  const rewrite = (): void => void make(randomBytes(content.length));
  it.each([
    ['grows', () => appendFileSync(path, 'x'), null],
    ['is truncated', () => truncateSync(path, 10_000), null],
    ['is written', rewrite, null],
    ['loses its last link', () => rmSync(path), sha256(content)],
  ])('has a result for one that %s meanwhile only where it is the content of what was seen', async (_what, change, result) => {
    const file = make(content);
    // What is seen of a file changes with the clock of the kernel, which ticks.
    utimesSync(path, 1, 1);
    const changing: Digest = (descriptor, sizeBytes) => {
      change();
      return digest(descriptor, sizeBytes);
    };
    expect(await hashFile({ path, file: { ...file, ...fileAt(path) } }, LIMIT, changing)).toMatchObject({ result });
  });
});

describe('hashFile', () => {
  it('asks before each piece whether it may be read', async () => {
    const asked: number[] = [];
    const file = make(randomBytes(10_000));
    await hashFile(
      { path, file },
      LIMIT,
      createDigest(buffer, async (bytes) => void asked.push(bytes)),
    );
    expect(asked).toEqual([4096, 4096, 1808, 0]);
  });

  it('gives nothing for a file that was replaced, written, touched or removed', async () => {
    const file = make('original');
    rmSync(path);
    expect(await resultOf(path, file)).toBeNull();
    make('another file of this name');
    expect(await resultOf(path, file)).toBeNull();
    const written = make('12345678');
    make('87654321');
    utimesSync(path, 1, 1);
    expect(await resultOf(path, written)).toBeNull();
    expect(await resultOf(path, { ...fileAt(path), dev: '0' })).toBeNull();
    expect(await resultOf(path, { ...fileAt(path), sizeBytes: 9 })).toBeNull();
  });

  it('gives nothing for one whose content was changed and whose time was set back', async () => {
    const file = make('12345678');
    utimesSync(path, 1000, 1000);
    const seen = fileAt(path);
    make('87654321');
    utimesSync(path, 1000, 1000);
    expect(fileAt(path).mtimeNs).toBe(seen.mtimeNs);
    expect(await resultOf(path, seen)).toBeNull();
    expect(await resultOf(path, { ...file, ...fileAt(path) })).toEqual(sha256('87654321'));
  });

  it('reads one that lost its last link since it was seen, not one that has another', async () => {
    const file = make('still here');
    const descriptor = openSync(path, 'r');
    rmSync(path);
    expect(await resultOf(`/proc/self/fd/${descriptor}`, file)).toEqual(sha256('still here'));
    closeSync(descriptor);
    const linked = make('linked');
    linkSync(path, join(directory, 'other'));
    expect(await resultOf(path, linked)).toBeNull();
  });

  it('gives nothing for one that grows while it is read, and does not follow it for ever', async () => {
    const file = make(randomBytes(4096 * 4));
    let looks = 0;
    const grow = async (): Promise<void> => {
      appendFileSync(path, randomBytes(4096));
      if (++looks > 1000) throw new Error('it is followed for ever');
    };
    expect(await resultOf(path, file, LIMIT, createDigest(buffer, grow))).toBeNull();
    expect(looks).toBeLessThan(10);
  });

  it('says why there is none, and has read nothing then', async () => {
    const file = make('12345');
    expect(await hashFile({ path, file }, 4, atOnce)).toEqual({ result: { error: 'larger than 4 bytes' }, bytesRead: 0 });
    expect(await resultOf(path, file, 5)).toEqual(sha256('12345'));
    mkdirSync(join(directory, 'd'));
    expect(await resultOf(join(directory, 'd'), fileAt(join(directory, 'd')))).toEqual({ error: 'not an ordinary file' });
    expect(await resultOf('/dev/zero', fileAt('/dev/zero'))).toEqual({ error: 'not an ordinary file' });
  });

  it.skipIf(process.getuid?.() === 0)('says that it may not be read (needs an unprivileged user)', async () => {
    make('secret');
    chmodSync(path, 0o000);
    expect(await resultOf(path, fileAt(path))).toEqual({ error: 'EACCES' });
  });

  it('reads a deleted file through a process that runs it', async () => {
    const crew = gatherCrew();
    const source = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
    try {
      const program = crew.copyOfSleep('gone');
      const { pid } = crew.start(program, ['1000']);
      const look = () => source.scan().processes.find((process) => process.pid === pid)?.image;
      await expect.poll(() => look()?.exe?.path).toBe(program);
      rmSync(program);
      const image = look();
      expect(image?.exeDeleted).toBe(true);
      const exe = image?.exe ?? fileAt('/dev/null');
      expect(await resultOf(source.openPathOf(exe) ?? '', exe)).toEqual(sha256(readFileSync('/bin/sleep')));
    } finally {
      source.close();
      await crew.close();
    }
  });
});

describe('createPace', () => {
  it('lets no more through than the rate and one piece, whatever the pieces and whenever they come', async () => {
    const pieces = fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 262_144 }), pauseMs: fc.integer({ min: 0, max: 500 }) }), {
      minLength: 1,
      maxLength: 50,
    });
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 65_536, max: 100_000_000 }), async (list, rate) => {
        let now = 0;
        let bytes = 0;
        const pace = createPace(
          rate,
          () => now,
          async (ms) => {
            now += ms;
          },
        );
        for (const piece of list) {
          now += piece.pauseMs;
          await pace(piece.bytes);
          // Before this piece: what time has earned, one piece, and what a timer cannot tell.
          expect(bytes).toBeLessThanOrEqual((rate * (now + list.length)) / 1000 + 262_144);
          bytes += piece.bytes;
        }
      }),
    );
  });

  it('does not save up what was not used', async () => {
    let now = 0;
    const waits: number[] = [];
    const pace = createPace(
      1000,
      () => now,
      async (ms) => {
        waits.push(ms);
        now += ms;
      },
    );
    await pace(500);
    await pace(500);
    now += 60_000;
    await pace(500);
    await pace(500);
    expect(waits).toEqual([500, 500]);
  });
});
