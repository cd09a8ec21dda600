/**
 * A disk that cannot write out what it was given: a small library, built here and preloaded, makes fsync(2) fail with EIO
 * for the files that are chosen, for as long as they are.
 */
import { chmodSync, closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { buildLibrary } from './compiled.ts';
import { temporaryDirectory } from './programs.ts';

const CONTROL_BYTES = 4096;
const TEXT_AT = 8;

export type FailingSync = {
  /** For the environment of what is to meet it. */
  readonly environment: Readonly<Record<string, string>>;
  /** From now on writing out fails for files whose name ends so, logs of writes included; null: for none. */
  readonly choose: (ending: string | null) => void;
  /** How often it failed. */
  readonly failures: () => number;
};

export function buildFailingSync(cleanup: Cleanup): FailingSync {
  const library = buildLibrary(cleanup, 'failing-sync');
  const file = join(temporaryDirectory(cleanup), 'control');
  writeFileSync(file, Buffer.alloc(CONTROL_BYTES));
  // The daemons map it as whoever they are.
  chmodSync(file, 0o666);
  const withFile = <Result>(work: (descriptor: number) => Result): Result => {
    const descriptor = openSync(file, 'r+');
    try {
      return work(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };
  return {
    environment: { LD_PRELOAD: library, FAILING_SYNC_FILE: file },
    choose: (ending) => {
      const text = Buffer.alloc(CONTROL_BYTES - TEXT_AT);
      text.write(ending ?? '');
      withFile((descriptor) => writeSync(descriptor, text, 0, text.length, TEXT_AT));
    },
    failures: () =>
      withFile((descriptor) => {
        const bytes = Buffer.alloc(TEXT_AT);
        readSync(descriptor, bytes, 0, TEXT_AT, 0);
        return Number(bytes.readBigInt64LE());
      }),
  };
}
