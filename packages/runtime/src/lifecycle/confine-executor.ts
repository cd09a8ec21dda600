/**
 * The kernel's part of the SQL sandbox: an executor gives up, for good, whatever it does not need to answer queries
 * from databases that are open already. What cannot be had (no addon, an old kernel) is said, not hidden.
 */
import { readFileSync } from 'node:fs';
import { messageOf } from '@sentineld/model/error';
import { loadNative, type ConfinementProfile, type Native } from '@sentineld/native/addon';

export type ExecutorConfinement = {
  /** True where every limit and the filter hold. */
  readonly confined: boolean;
  /** One entry per measure: what holds, or why it does not. */
  readonly detail: readonly string[];
  /** Lets this process use so many more seconds of CPU time before the kernel ends it; does nothing without the addon. */
  readonly allowCpu: (seconds: number) => void;
};

export type ConfineExecutorOptions = {
  /**
   * Address space beyond what is mapped now: a ceiling far above the memory limit that the spawner watches. It is not
   * a number of its own, because Node maps 1.2 GB to start with, and 10 GB where WebAssembly is loaded.
   */
  readonly addressSpaceHeadroomBytes?: number;
  /** CPU time of the process's whole life. */
  readonly cpuSeconds?: number;
};

const NO_WAY_OUT: ConfinementProfile = { socketFamilies: 'none', exec: false, writeFiles: false, signalOthers: false };
const ONLY_CHILDREN: ConfinementProfile = { socketFamilies: 'unix', exec: true, writeFiles: false, signalOthers: true };
const MAX_DESCRIPTORS = 64;

/** Confines this process. Call it after the first read: with FSIZE at 0 SQLite cannot set up a -shm file. Throws only where /proc cannot be read. */
export function confineExecutor(options: ConfineExecutorOptions = {}): ExecutorConfinement {
  const loaded = loadNative();
  if (!loaded.available) return { confined: false, detail: [loaded.reason], allowCpu: () => {} };
  const { native } = loaded;
  const cpuSeconds = options.cpuSeconds ?? 300;
  const limits = [
    ['AS', mappedBytes() + (options.addressSpaceHeadroomBytes ?? 512 * 1024 * 1024)],
    ['CPU', cpuSeconds],
    ['CORE', 0],
    ['NOFILE', MAX_DESCRIPTORS],
    ['FSIZE', 0],
  ] as const;
  const steps = limits.map(([name, value]) => attempt(`limit ${name} ${value}`, () => native.setResourceLimit(name, value, value)));
  steps.push(attempt('filter: no sockets, programs, writing or signals', () => native.confine(NO_WAY_OUT)));
  return {
    confined: steps.every(({ held }) => held),
    detail: steps.map(({ text }) => text),
    allowCpu: (seconds) => allowCpu(native, seconds, cpuSeconds),
  };
}

/**
 * For the process that starts executors: its children get no io_uring, with which none could be confined, and it keeps
 * the right to start and end them and little else. Never throws.
 */
export function confineSpawner(): Pick<ExecutorConfinement, 'confined' | 'detail'> {
  const loaded = loadNative();
  if (!loaded.available) return { confined: false, detail: [loaded.reason] };
  const { native } = loaded;
  const ring = attempt('no io_uring for children', () => native.refuseIoUring());
  // A spawner that holds a ring itself cannot take the filter; its children can.
  const filter = attempt('filter: Unix sockets, no writing', () => native.confine(ONLY_CHILDREN));
  return { confined: ring.held && filter.held, detail: [ring.text, filter.text] };
}

type Step = { readonly held: boolean; readonly text: string };

function attempt(text: string, measure: () => void): Step {
  try {
    measure();
    return { held: true, text };
  } catch (thrown) {
    return { held: false, text: `not held: ${text} (${messageOf(thrown)})` };
  }
}

function mappedBytes(): number {
  const kibibytes = /^VmSize:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

function allowCpu(native: Native, seconds: number, most: number): void {
  const used = process.cpuUsage();
  const soft = Math.ceil((used.user + used.system) / 1_000_000 + seconds);
  native.setResourceLimit('CPU', Math.min(soft, most), most);
}
