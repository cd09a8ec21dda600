/**
 * One event as a line of a spill file: 16 hex digits of SHA-256 over the rest, the sequence number, the event as JSON.
 * JSON holds no line break, so where a line is damaged the next one is found; what is damaged is never taken for an event.
 */
import { hash } from 'node:crypto';
import type { ProcessEvent } from '@sentineld/model/process-event';

export type SpilledEvent = {
  /** Grows by one with each event that is spilled, across restarts; an event that is read again has the same. */
  readonly sequence: number;
  readonly event: ProcessEvent;
};

/** Longer than any event: arguments and the parent's are 128 KiB at most each, and JSON makes six bytes of one. */
export const MAX_RECORD_BYTES: number = 2 * 1024 * 1024;

const CHECK_DIGITS = 16;

/** The line, its line break included. */
export function encodeRecord({ sequence, event }: SpilledEvent): Buffer {
  const body = `${sequence} ${JSON.stringify(event)}`;
  return Buffer.from(`${checkOf(body)} ${body}\n`);
}

/** The event of a line without its line break, or null where it is damaged. */
export function decodeRecord(line: Buffer): SpilledEvent | null {
  if (line.length > MAX_RECORD_BYTES) return null;
  const text = line.toString();
  const body = text.slice(CHECK_DIGITS + 1);
  if (text.slice(0, CHECK_DIGITS + 1) !== `${checkOf(body)} `) return null;
  const space = body.indexOf(' ');
  const sequence = Number(body.slice(0, space));
  const event: unknown = JSON.parse(body.slice(space + 1));
  return Number.isSafeInteger(sequence) && isEvent(event) ? { sequence, event } : null;
}

/** Another version may have written it: what has not even these would stop the store for ever. */
function isEvent(value: unknown): value is ProcessEvent {
  if (typeof value !== 'object' || value === null || !('kind' in value && 'pid' in value && 'timestampMs' in value)) return false;
  const { kind, pid, timestampMs } = value;
  return (kind === 'exec' || kind === 'exit') && Number.isSafeInteger(pid) && Number.isSafeInteger(timestampMs);
}

/** Hex digits that tell damage. It is no proof against somebody who can write here: that is the same user alone. */
export function checkOf(text: string): string {
  return hash('sha256', text).slice(0, CHECK_DIGITS);
}
