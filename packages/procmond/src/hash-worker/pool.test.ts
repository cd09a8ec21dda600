import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { loadNative } from '@sentineld/native/addon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HashEngine, HashJob } from './hash-file.ts';
import { hashInPool, type HashCalls } from './pool.ts';

const addon = loadNative();
const SETTINGS = { bytesPerSecond: 2 ** 40, fileLimitBytes: 2 ** 40 };

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-pool-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function make(content: Uint8Array): HashJob {
  const path = join(directory, 'file');
  writeFileSync(path, content);
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  const file = { path, dev: String(dev), inode: String(ino), sizeBytes: Number(size), mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs) };
  return { path, file };
}

const answerFor = (content: Uint8Array) => ({
  result: { sha256: createHash('sha256').update(content).digest('hex') },
  bytesRead: content.length,
});

describe.runIf(addon.available)('hashInPool', () => {
  const calls = (): HashCalls => {
    if (!addon.available) throw new Error(addon.reason);
    return addon.native;
  };

  it('hashes one file after the other, and nothing once it is closed', async () => {
    const content = randomBytes(300_000);
    const job = make(content);
    const engine = hashInPool(calls())(SETTINGS);
    expect(await engine.hash(job)).toEqual(answerFor(content));
    expect(await engine.hash(job)).toEqual(answerFor(content));
    engine.close();
    expect(await engine.hash(job)).toBeNull();
  });

  it('is closed in the middle of a file, and its neighbour is not', async () => {
    const content = randomBytes(300_000);
    const job = make(content);
    const engines = [hashInPool(calls())({ ...SETTINGS, bytesPerSecond: 1 }), hashInPool(calls())(SETTINGS)] as const;
    const answers = engines.map((engine) => engine.hash(job));
    engines[0].close();
    expect(await Promise.all(answers)).toEqual([null, answerFor(content)]);
    engines[1].close();
  });

  it('listens for the end of the program no longer than it lives', () => {
    const before = process.listenerCount('exit');
    const engine = hashInPool(calls())(SETTINGS);
    expect(process.listenerCount('exit')).toBe(before + 1);
    engine.close();
    expect(process.listenerCount('exit')).toBe(before);
  });

  it('does not hold up a program that ends in the middle of a file', async () => {
    const program = fileURLToPath(new URL('../fixtures/exit-while-hashing.fixture.ts', import.meta.url));
    const { path } = make(randomBytes(300_000));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--conditions=sentineld-source', program, path], {
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    expect([stdout, stderr]).toEqual(['leaves', '']);
  });
});

describe('a Node whose OpenSSL the addon cannot reach', () => {
  it('is asked once; a Worker hashes from then on, and ends with it', async () => {
    const counts = { asked: 0, started: 0, hashed: 0, closed: 0 };
    const native: HashCalls = {
      hashFile: () => {
        counts.asked++;
        throw Object.assign(new Error('hashFile: Function not implemented'), { code: 'ENOSYS' });
      },
      cancelHash: () => undefined,
    };
    const worker: HashEngine = {
      hash: async () => {
        counts.hashed++;
        return { result: null, bytesRead: 0 };
      },
      close: () => void counts.closed++,
    };
    const engine = hashInPool(native, () => {
      counts.started++;
      return worker;
    })(SETTINGS);
    const job = make(randomBytes(1));
    expect([await engine.hash(job), await engine.hash(job)]).toEqual([
      { result: null, bytesRead: 0 },
      { result: null, bytesRead: 0 },
    ]);
    engine.close();
    expect(counts).toEqual({ asked: 1, started: 1, hashed: 2, closed: 1 });
  });
});
