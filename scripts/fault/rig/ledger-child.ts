/**
 * A program of a campaign that tells on descriptor 3 what it acknowledged, line by line. A pipe keeps what was written to it
 * when its writer is killed, so nothing that was told is lost.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import type { Campaign } from './campaign.ts';
import type { Cleanup } from './cleanup.ts';
import { plainEnvironment, temporaryDirectory } from './programs.ts';

const FLAGS = ['--conditions=sentineld-source', '--disable-warning=ExperimentalWarning'] as const;
const PROGRAMS = dirname(import.meta.dirname);

export type LedgerChild = {
  /** What was told so far. */
  readonly lines: readonly string[];
  /** Settles when something was told, or it is over. */
  readonly told: () => Promise<void>;
  readonly kill: () => void;
  /** Settles when it is over and all that it told is in `lines`; gives the last of its standard error. */
  readonly ended: Promise<string>;
};

const caches = new WeakMap<Cleanup, string>();

/** What Node has compiled is kept for the next start: there are thousands of them. */
function cacheOf(cleanup: Cleanup): string {
  const cache = caches.get(cleanup) ?? temporaryDirectory(cleanup);
  caches.set(cleanup, cache);
  return cache;
}

/** Starts a program of scripts/fault/; it is killed at the end of the campaign at the latest. */
export function startLedgerChild(
  campaign: Campaign,
  name: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): LedgerChild {
  const child = spawn(process.execPath, [...FLAGS, join(PROGRAMS, `${name}.ts`), ...words], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    env: { ...plainEnvironment(), NODE_COMPILE_CACHE: cacheOf(campaign.cleanup), ...environment },
    // Nothing that is recorded lies here.
    cwd: PROGRAMS,
  });
  const lines: string[] = [];
  let [rest, errors] = ['', ''];
  const [stdin, , stderr, acknowledgements] = child.stdio;
  const something = Promise.withResolvers<void>();
  acknowledgements?.on('data', (bytes: Buffer) => {
    // What has no line end was not told to its end.
    const parts = `${rest}${bytes.toString()}`.split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    if (lines.length > 0) something.resolve();
  });
  stderr?.on('data', (bytes: Buffer) => (errors = `${errors}${bytes.toString()}`.slice(-4_000)));
  stdin?.on('error', () => undefined);
  child.on('error', (cause) => (errors = cause.message));
  const kill = (): void => void child.kill('SIGKILL');
  const ended = new Promise<string>((resolve) => {
    child.on('close', () => {
      something.resolve();
      resolve(errors.trim());
    });
  });
  campaign.cleanup.defer(`${name} ${child.pid ?? ''}`, async () => {
    kill();
    await ended;
  });
  return { lines, told: () => something.promise, kill, ended };
}
