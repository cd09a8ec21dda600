/**
 * The log that the preloaded library of power-log.c keeps: every change of a file, every sync and every mark, in their order.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import type { Cleanup } from './cleanup.ts';
import { buildLibrary } from './compiled.ts';

/** What happened to a file, known by its inode, or to a name. */
export type PowerRecord =
  | { readonly kind: 'write'; readonly inode: bigint; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly inode: bigint; readonly length: number }
  | { readonly kind: 'sync' | 'failed sync'; readonly inode: bigint }
  | { readonly kind: 'sync directory'; readonly path: string }
  | { readonly kind: 'create'; readonly inode: bigint; readonly path: string }
  | { readonly kind: 'rename' | 'link'; readonly inode: bigint; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink' | 'make directory' | 'remove directory'; readonly path: string }
  | { readonly kind: 'mark'; readonly text: string };

export type PowerLog = {
  /** For the environment of what is recorded; marks are written to descriptor 3. */
  readonly environment: Readonly<Record<string, string>>;
  /** Asked, programs under record are killed with their next change, when that is in the log. */
  readonly stop: (isAsked: boolean) => void;
  /** All there is by now. Throws for a change that the library could not express. */
  readonly read: () => readonly PowerRecord[];
};

/** Begins logs: in `file`, which is made anew, of what happens below `root`. */
export type PowerRecorder = { readonly begin: (root: string, file: string) => PowerLog };

/** How the syncs of databases fail: one in so many, or that one, and the program is killed at this moment. */
export type FailingSyncs = { readonly every: number; readonly isDeadly: boolean };

/** For the environment beside that of a log. */
export function failingSyncs({ every, isDeadly }: FailingSyncs): Readonly<Record<string, string>> {
  return { POWER_LOG_FAILING: String(isDeadly ? -every : every) };
}

/** Where programs under record write what they acknowledged. */
export const MARKS_DESCRIPTOR = 3;

const HEADER_BYTES = 24;

export function buildPowerRecorder(cleanup: Cleanup): PowerRecorder {
  if (endianness() !== 'LE') throw new Error('the log is in the byte order of the host, and is read as little-endian');
  const library = buildLibrary(cleanup, 'power-log');
  return {
    begin: (root, file) => {
      const stopFile = `${file}.stop`;
      rmSync(file, { force: true });
      return {
        environment: {
          LD_PRELOAD: library,
          POWER_LOG_FILE: file,
          POWER_LOG_ROOT: root,
          POWER_LOG_MARKS: String(MARKS_DESCRIPTOR),
          POWER_LOG_STOP: stopFile,
        },
        stop: (isAsked) => (isAsked ? writeFileSync(stopFile, '') : rmSync(stopFile, { force: true })),
        read: () => parsePowerLog(readFileSync(file)),
      };
    },
  };
}

/** Throws where the log has a change that cannot be replayed, or is torn. */
export function parsePowerLog(log: Buffer): readonly PowerRecord[] {
  const records: PowerRecord[] = [];
  for (let at = 0; at < log.length;) {
    const length = log.readUInt32LE(at + 4);
    const end = at + HEADER_BYTES + length;
    if (end > log.length) throw new Error(`the log of writes ends within a record, at byte ${at}`);
    records.push(
      recordOf(
        log.readUInt32LE(at),
        log.readBigUInt64LE(at + 8),
        Number(log.readBigInt64LE(at + 16)),
        log.subarray(at + HEADER_BYTES, end),
      ),
    );
    at = end;
  }
  return records;
}

function recordOf(kind: number, inode: bigint, offset: number, payload: Buffer): PowerRecord {
  const text = (): string => payload.toString();
  switch (kind) {
    case 1:
      return { kind: 'write', inode, offset, bytes: payload };
    case 2:
      return { kind: 'truncate', inode, length: offset };
    case 3:
      return { kind: 'sync', inode };
    case 4:
      return { kind: 'sync directory', path: text() };
    case 5:
      return { kind: 'create', inode, path: text() };
    case 6:
    case 8: {
      const [from = '', to = ''] = text().split('\0');
      return { kind: kind === 6 ? 'rename' : 'link', inode, from, to };
    }
    case 7:
      return { kind: 'unlink', path: text() };
    case 9:
      return { kind: 'make directory', path: text() };
    case 10:
      return { kind: 'remove directory', path: text() };
    case 11:
      return { kind: 'mark', text: text() };
    case 13:
      return { kind: 'failed sync', inode };
    default:
      throw new Error(`a file was changed in a way that is not followed: ${text()}`);
  }
}
