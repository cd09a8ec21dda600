import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { loadNative, type Native } from './addon.ts';
import { compileRawSyscall, loadRawSyscall } from './fixtures/raw-syscall.ts';
import {
  nameProcessEventCounts,
  PROCESS_EVENT_COUNTS,
  readProcessEvent,
  type ProcessEventCounts,
  type ProcessEventRecord,
  type ProcessEventsHandle,
} from './process-events.ts';

const availability = loadNative();
const MEBIBYTE = 1024 * 1024;

/** Null where this process may listen to the kernel, or why not. */
function whyDeaf(): string | null {
  if (!availability.available) return availability.reason;
  try {
    closeSync(availability.native.openProcessEvents(MEBIBYTE).fd);
    return null;
  } catch (cause) {
    return String(cause);
  }
}
const deaf = whyDeaf();
if (deaf !== null) console.warn(`Skipped: tests that listen to the kernel's process events (${deaf})`);

describe.runIf(availability.available)('process events, called wrongly,', () => {
  const native = availability.available ? availability.native : (undefined as never);
  const throwing = (code: string): unknown => expect.objectContaining({ code });

  it('are not started on what is no socket of the connector', async () => {
    const file = openSync('/dev/null', 'r');
    expect(() => native.startProcessEvents(file, MEBIBYTE, 4096)).toThrow(throwing('ENOTSOCK'));
    closeSync(file);
    expect(() => native.startProcessEvents(2 ** 31 - 1, MEBIBYTE, 4096)).toThrow(throwing('EBADF'));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const handle: unknown = Reflect.get(server, '_handle');
    expect(() => native.startProcessEvents(Number(Reflect.get(Object(handle), 'fd')), MEBIBYTE, 4096)).toThrow(throwing('EPROTOTYPE'));
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuse a ring that is too small for its arguments, and handles that are none', () => {
    for (const [ring, argv] of [
      [65_535, 1],
      [65_536, 0],
      [65_536, 32_769],
      [2 ** 29, 1],
      [MEBIBYTE, 2 ** 21],
    ] as const) {
      expect(() => native.startProcessEvents(0, ring, argv)).toThrow(throwing('ERR_INVALID_ARG_VALUE'));
    }
    for (const handle of [{}, null, 7, Object.create(null) as unknown, new Proxy({}, {})]) {
      expect(() => Reflect.apply(native.drainProcessEvents, undefined, [handle, Buffer.alloc(8)])).toThrow(
        throwing('ERR_INVALID_ARG_VALUE'),
      );
      expect(() => Reflect.apply(native.stopProcessEvents, undefined, [handle])).toThrow(throwing('ERR_INVALID_ARG_VALUE'));
    }
  });
});

describe.skipIf(deaf !== null)('process events', () => {
  const native: Native = availability.available ? availability.native : (undefined as never);
  const opened: (() => void)[] = [];
  afterEach(() => {
    for (const close of opened.splice(0).toReversed()) close();
  });

  function listen(receiveBufferBytes: number, ringBytes = 4 * MEBIBYTE): ProcessEventsHandle {
    const { fd } = native.openProcessEvents(receiveBufferBytes);
    opened.push(() => closeSync(fd));
    const handle = native.startProcessEvents(fd, ringBytes, 4096);
    opened.push(() => native.stopProcessEvents(handle));
    return handle;
  }
  const count = (handle: ProcessEventsHandle): ProcessEventCounts => {
    const numbers = new Float64Array(PROCESS_EVENT_COUNTS.length);
    native.countProcessEvents(handle, numbers);
    return nameProcessEventCounts(numbers);
  };
  const buffer = Buffer.alloc(MEBIBYTE);
  function drain(handle: ProcessEventsHandle): ProcessEventRecord[] {
    const records: ProcessEventRecord[] = [];
    for (let end = -1; end !== 0;) {
      end = native.drainProcessEvents(handle, buffer);
      for (let at = 0; at < end; at = records.at(-1)?.end ?? end) records.push(readProcessEvent(buffer, at));
    }
    return records;
  }
  const live = (times: number): void => void spawnSync('/bin/sh', ['-c', `i=0; while [ $i -lt ${times} ]; do /bin/true; i=$((i+1)); done`]);

  it('that had no room in the socket are counted one by one', async ({ skip }) => {
    const { fd, receiveBufferBytes } = native.openProcessEvents(16 * MEBIBYTE);
    closeSync(fd);
    if (receiveBufferBytes < 8 * MEBIBYTE) {
      console.warn(`Skipped: of ${16 * MEBIBYTE} bytes of room ${receiveBufferBytes} were granted, too few to compare with`);
      return skip();
    }
    const ample = listen(16 * MEBIBYTE);
    const tiny = listen(1);
    // What happened between the two calls is the difference; it stays that, but for what one has yet to read.
    const difference = (): number => {
      const { received, lost } = count(tiny);
      return count(ample).received - received - lost;
    };
    const samples: number[] = [];
    for (let i = 0; i < 25; i++) samples.push((await wait(10), difference()));
    const usual = samples.toSorted((a, b) => timesIn(samples, b) - timesIn(samples, a))[0];
    live(500);
    // The next message of a CPU tells what was lost before it.
    await expect
      .poll(() => {
        const now = [count(tiny).lost > 0, difference()];
        live(1);
        return now;
      })
      .toEqual([true, usual]);
    expect(count(tiny).overruns).toBeGreaterThan(0);
    expect(count(ample)).toMatchObject({ lost: 0, overruns: 0, dropped: 0, foreign: 0 });
  });

  it('that had no room in the ring are counted one by one, and what is in it is whole', async () => {
    const handle = listen(16 * MEBIBYTE, 65_536);
    live(800);
    expect(count(handle).dropped).toBeGreaterThan(0);
    let records = 0;
    await expect
      .poll(() => {
        const drained = drain(handle);
        expect(drained.every(({ kind, pid, name }) => pid > 0 && (kind === 'exec' || name === null))).toBe(true);
        records += drained.length;
        const { forks, execs, exits, dropped } = count(handle);
        return forks + execs + exits - dropped - records;
      })
      .toBe(0);
    expect(records).toBeGreaterThan(100);
  });

  it('are drained in whole records only', () => {
    const handle = listen(MEBIBYTE);
    live(3);
    const small = Buffer.alloc(8);
    expect(() => native.drainProcessEvents(handle, small)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    expect(drain(handle).filter(({ kind }) => kind === 'exec').length).toBeGreaterThanOrEqual(3);
  });

  it('end with their handle, which then gives errors', () => {
    const handle = listen(MEBIBYTE);
    native.stopProcessEvents(handle);
    native.stopProcessEvents(handle);
    const throwing = expect.objectContaining({ code: 'EBADF' });
    expect(() => native.drainProcessEvents(handle, buffer)).toThrow(throwing);
    expect(() => count(handle)).toThrow(throwing);
  });

  it('end with what is collected, and with their thread of JavaScript', async () => {
    // Those of the tests before have ended, and are listed for a moment more.
    await expect.poll(listeningThreads).toBe(0);
    const { fd } = native.openProcessEvents(MEBIBYTE);
    opened.push(() => closeSync(fd));
    const held = new Set([native.startProcessEvents(fd, 65_536, 1)]);
    await expect.poll(listeningThreads).toBe(1);
    held.clear();
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await expect
      .poll(() => {
        collect();
        return listeningThreads();
      })
      .toBe(0);

    const program = `const it = { exports: {} }; process.dlopen(it, ${JSON.stringify(prebuilt())});
      globalThis.handle = it.exports.startProcessEvents(${fd}, 65536, 1);
      require('node:worker_threads').parentPort.on('message', () => 0).postMessage('started')`;
    const worker = new Worker(program, { eval: true });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await expect.poll(listeningThreads).toBe(1);
    await worker.terminate();
    await expect.poll(listeningThreads).toBe(0);
  });

  it('are taken from the kernel alone', async ({ skip }) => {
    const directory = mkdtempSync(join(tmpdir(), 'sentineld-events-'));
    opened.push(() => rmSync(directory, { recursive: true }));
    const file = compileRawSyscall(directory);
    if (file === null) return skip();
    const rawSyscall = loadRawSyscall(file);
    const call = (numbers: readonly [number, number], ...values: readonly (number | Uint8Array)[]): number =>
      rawSyscall(numbers[process.arch === 'x64' ? 0 : 1] ?? -1, ...values);
    const { fd } = native.openProcessEvents(MEBIBYTE);
    opened.push(() => closeSync(fd));
    const address = Buffer.alloc(12);
    const size = Buffer.from([12, 0, 0, 0]);
    expect(call([51, 204], fd, address, size)).toBe(0);
    address.writeUInt32LE(0, 8);
    const sender = call([41, 198], 16, 2, 11);
    opened.push(() => closeSync(sender));
    const forged = Buffer.alloc(76);
    forged.writeUInt32LE(76, 0);
    forged.writeUInt32LE(1, 16);
    forged.writeUInt32LE(1, 20);
    forged.writeUInt16LE(40, 32);
    forged.writeUInt32LE(0x8000_0000, 36);
    forged.writeUInt32LE(4_194_300, 52);
    forged.writeUInt32LE(4_194_300, 56);
    const sent = call([44, 206], sender, forged, forged.length, 0, address, 12);
    if (sent === -1) {
      console.warn('Skipped: only who has CAP_NET_ADMIN can send what the kernel should have sent');
      return skip();
    }
    expect(sent).toBe(76);
    const handle = native.startProcessEvents(fd, MEBIBYTE, 4096);
    opened.push(() => native.stopProcessEvents(handle));
    await expect.poll(() => count(handle).foreign).toBe(1);
    expect(drain(handle).map(({ pid }) => pid)).not.toContain(4_194_300);
  });

  it('arrive in a process that has confined itself since they were opened', async () => {
    const program = fileURLToPath(new URL('fixtures/listening-child.ts', import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    opened.push(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect(await lines.next()).toMatchObject({ value: expect.stringMatching(/^listening/) });
    const marker = `marked-${process.pid}`;
    spawnSync('/bin/sh', ['-c', 'sleep 0.05; exit 7', marker]);
    child.stdin.end(`${marker}\n`);
    const { value } = (await lines.next()) as { value: string };
    expect(JSON.parse(value)).toEqual({ argv: ['/bin/sh', '-c', 'sleep 0.05; exit 7', marker], waitStatus: 7 << 8, seccomp: ['2'] });
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
  });
});

function timesIn(list: readonly number[], value: number): number {
  return list.filter((each) => each === value).length;
}

function prebuilt(): string {
  return fileURLToPath(new URL(`../prebuilt/linux-${process.arch}.node`, import.meta.url));
}

/** How many threads of this process listen to the kernel. */
function listeningThreads(): number {
  return readdirSync('/proc/self/task').filter((tid) => {
    try {
      return readFileSync(`/proc/self/task/${tid}/comm`, 'latin1') === 'process-events\n';
    } catch {
      return false;
    }
  }).length;
}
