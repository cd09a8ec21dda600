import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative, type Native } from './addon.ts';

const availability = loadNative();
const PIECE = 262_144;
const ENOUGH = 2 ** 40;
const run = promisify(execFile);
const child = fileURLToPath(new URL('fixtures/hashing-child.ts', import.meta.url));
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

describe.runIf(availability.available)('hashFile', () => {
  let native: Native;
  let directory: string;
  const descriptors: number[] = [];
  beforeEach(() => {
    if (!availability.available) throw new Error(availability.reason);
    native = availability.native;
    directory = mkdtempSync(join(tmpdir(), 'sentineld-file-hash-'));
  });
  afterEach(() => {
    for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });

  const path = (): string => join(directory, 'file');
  const open = (at: string, flags = 'r'): number => {
    const descriptor = openSync(at, flags);
    descriptors.push(descriptor);
    return descriptor;
  };
  const make = (content: Uint8Array): number => {
    writeFileSync(path(), content);
    return open(path());
  };

  it.each([0, 1, 255, PIECE - 1, PIECE, PIECE + 1, 3 * 1024 * 1024])('gives SHA-256 of %d bytes, which it counts', async (length) => {
    const content = randomBytes(length);
    const descriptor = make(content);
    expect(await native.hashFile(descriptor, length, ENOUGH, 1)).toEqual({ bytesRead: length, sha256: sha256(content) });
  });

  it('reads from the start, whatever was read, and leaves the offset', async () => {
    const content = randomBytes(100);
    const descriptor = make(content);
    const rest = Buffer.alloc(60);
    readSync(descriptor, rest, 0, 40, null);
    expect(await native.hashFile(descriptor, 100, ENOUGH, 1)).toMatchObject({ sha256: sha256(content) });
    readSync(descriptor, rest, 0, 60, null);
    expect(rest.equals(content.subarray(40))).toBe(true);
  });

  it('goes no further than the piece in which the limit is passed', async () => {
    const descriptor = make(randomBytes(3 * PIECE));
    expect(await native.hashFile(descriptor, 3 * PIECE - 1, ENOUGH, 1)).toEqual({ bytesRead: 3 * PIECE, error: 'EFBIG' });
    expect(await native.hashFile(descriptor, PIECE, ENOUGH, 1)).toEqual({ bytesRead: 2 * PIECE, error: 'EFBIG' });
    expect(await native.hashFile(open('/dev/zero'), 1, ENOUGH, 1)).toEqual({ bytesRead: PIECE, error: 'EFBIG' });
  });

  it('says by the name of its errno why a descriptor cannot be read', async () => {
    expect(await native.hashFile(open(directory), 1, 1, 1)).toEqual({ bytesRead: 0, error: 'EISDIR' });
    expect(await native.hashFile(open(path(), 'w'), 1, 1, 1)).toEqual({ bytesRead: 0, error: 'EBADF' });
    expect(await native.hashFile(2 ** 31 - 1, 1, 1, 1)).toEqual({ bytesRead: 0, error: 'EBADF' });
  });

  it('ends where a file that is truncated meanwhile ends', async () => {
    const content = randomBytes(12 * PIECE);
    const result = native.hashFile(make(content), content.length, PIECE, 1);
    truncateSync(path(), PIECE);
    const { bytesRead } = await result;
    expect(bytesRead).toBeLessThan(content.length);
    expect(await result).toEqual({ bytesRead, sha256: sha256(content.subarray(0, bytesRead)) });
  });

  it('reads one piece and waits until it is paid for, and can be cancelled then', async () => {
    const slow = make(randomBytes(3 * PIECE));
    const other = open('/dev/null');
    const seen = new Set<number>();
    await expect
      .poll(async () => {
        const result = native.hashFile(slow, ENOUGH, 1, 1);
        await native.hashFile(other, 0, ENOUGH, 2);
        native.cancelHash(1);
        const { bytesRead, ...outcome } = await result;
        expect(outcome).toEqual({ error: 'ECANCELED' });
        seen.add(bytesRead);
        return bytesRead;
      })
      .toBe(PIECE);
    expect([0, PIECE]).toEqual(expect.arrayContaining([...seen]));
  });

  it('cancels all of one ticket, begun or not, and nothing of another', async () => {
    const content = randomBytes(PIECE);
    const descriptor = make(content);
    const other = native.hashFile(descriptor, PIECE, ENOUGH, 8);
    const cancelled = Array.from({ length: 12 }, () => native.hashFile(descriptor, PIECE, 1, 7));
    native.cancelHash(9);
    native.cancelHash(7);
    for (const result of cancelled) expect(await result).toMatchObject({ error: 'ECANCELED' });
    expect(await other).toEqual({ bytesRead: PIECE, sha256: sha256(content) });
    native.cancelHash(7);
    expect(await native.hashFile(descriptor, PIECE, ENOUGH, 7)).toMatchObject({ sha256: sha256(content) });
  });

  it.each([
    [[-1, 1, 1, 1]],
    [[0.5, 1, 1, 1]],
    [[0, -1, 1, 1]],
    [[0, 2 ** 53, 1, 1]],
    [[0, 1, 0, 1]],
    [[0, 1, Number.NaN, 1]],
    [[0, 1, 1]],
    [[0, 1, 1, '1']],
  ])('refuses the arguments %j', (values) => {
    const refusal = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(() => Reflect.apply(native.hashFile, undefined, values)).toThrow(refusal);
    expect(() => Reflect.apply(native.cancelHash, undefined, values.slice(4))).toThrow(refusal);
  });

  it('works in a confined process whose pool has not begun', async () => {
    const content = randomBytes(PIECE + 1);
    writeFileSync(path(), content);
    const { stdout, stderr } = await run(process.execPath, [child, 'confined', path()]);
    expect([JSON.parse(stdout), stderr]).toEqual([{ bytesRead: PIECE + 1, sha256: sha256(content) }, '']);
  });

  it('outlives a Worker that ends in the middle', async () => {
    writeFileSync(path(), randomBytes(PIECE));
    const { stdout, stderr } = await run(process.execPath, [child, 'terminated', path()]);
    expect([stdout, stderr]).toEqual(['ended', '']);
  });
});
