/**
 * A clock of the day that daemons are shown instead of the machine's, which is never changed: a small library, built
 * here and preloaded, adds what a file says.
 */
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { buildLibrary } from './compiled.ts';
import { temporaryDirectory } from './programs.ts';

export type ShiftedClock = {
  /** For the environment of what is to see it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds that are added to the machine's time from now on. */
  readonly shift: (ms: number) => void;
};

/** Where distributions put it; null where nobody installed it. */
const FAKETIME = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'].map((directory) =>
  join(directory, 'faketime', 'libfaketimeMT.so.1'),
);

/** The same by a library of others, which replaces more calls and was written for other programs. */
export function findFaketime(cleanup: Cleanup): ShiftedClock | null {
  const library = FAKETIME.find((path) => existsSync(path));
  if (library === undefined) return null;
  const file = join(temporaryDirectory(cleanup), 'offset');
  const shift = (ms: number): void => writeFileSync(file, `${ms < 0 ? '-' : '+'}${Math.abs(ms) / 1_000}\n`);
  shift(0);
  const options = { FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' };
  return { environment: { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, ...options }, shift };
}

export function buildShiftedClock(cleanup: Cleanup): ShiftedClock {
  const library = buildLibrary(cleanup, 'clock-shift');
  const file = join(temporaryDirectory(cleanup), 'offset');
  writeFileSync(file, Buffer.alloc(8));
  return {
    environment: { LD_PRELOAD: library, CLOCK_SHIFT_FILE: file },
    shift: (ms) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(ms));
      // In place: the daemons have it mapped.
      const descriptor = openSync(file, 'r+');
      writeSync(descriptor, bytes, 0, bytes.length, 0);
      closeSync(descriptor);
    },
  };
}
