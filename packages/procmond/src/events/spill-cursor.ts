/**
 * Which spilled events were stored: a number in a file of two slots that are written in turn, each with a check. A
 * process that is killed, and a disk that is full, leave at least the one before.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { checkOf } from './spill-record.ts';

export type SpillCursor = {
  /** The number that was written last; null where there is none that can be read. */
  readonly start: number | null;
  /** True where the file holds something, and no slot of it is whole. */
  readonly isDamaged: boolean;
  /** Throws what the file system throws. It survives the process once this returns; the newest may be lost with the power. */
  readonly write: (value: number) => void;
  readonly close: () => void;
};

const DIGITS = 16;
/** 16 digits, a space, 16 digits of check, a line break. */
const SLOT_BYTES = 34;

/** @throws what the file system throws. */
export function openSpillCursor(path: string, mode: number): SpillCursor {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, mode);
  const bytes = Buffer.alloc(2 * SLOT_BYTES);
  const length = readSync(descriptor, bytes, 0, bytes.length, 0);
  const slots = [0, 1].map((slot) => readSlot(bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)));
  const known = slots.filter((value) => value !== null);
  let next = (slots[0] ?? -1) > (slots[1] ?? -1) ? 1 : 0;
  return {
    start: known.length === 0 ? null : Math.max(...known),
    isDamaged: length > 0 && known.length === 0,
    write: (value) => {
      const digits = String(value).padStart(DIGITS, '0');
      writeSync(descriptor, `${digits} ${checkOf(digits)}\n`, next * SLOT_BYTES, 'latin1');
      next = 1 - next;
    },
    close: () => closeSync(descriptor),
  };
}

function readSlot(bytes: Buffer): number | null {
  const text = bytes.toString('latin1');
  const digits = text.slice(0, DIGITS);
  return text === `${digits} ${checkOf(digits)}\n` ? Number(digits) : null;
}
