/**
 * A clock of the day that daemons are shown instead of the machine's, which is never changed: a small library, built
 * here and preloaded, adds what a file says.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { temporaryDirectory } from './programs.ts';

export type ShiftedClock = {
  /** For the environment of what is to see it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds that are added to the machine's time from now on. */
  readonly shift: (ms: number) => void;
};

export function buildShiftedClock(cleanup: Cleanup): ShiftedClock {
  const directory = temporaryDirectory(cleanup);
  const library = join(directory, 'clock-shift.so');
  const source = join(import.meta.dirname, 'clock-shift.c');
  const { status, stderr } = spawnSync('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-o', library, source, '-ldl'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`clock-shift.c cannot be built: ${stderr}`);
  const file = join(directory, 'offset');
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
