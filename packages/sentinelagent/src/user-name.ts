/**
 * The name of a user as this host has it, for people who read later who decided something. The uid is what counts.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';

const MOST_BYTES = 1024 * 1024;
const MOST_CHARACTERS = 64;

/** Null where the file has no such user, or cannot be read: directories of users elsewhere are not asked. */
export function userName(uid: number, file = '/etc/passwd'): string | null {
  for (const line of beginningOf(file).split('\n')) {
    const [name = '', , id] = line.split(':');
    if (id === String(uid) && name !== '') return name.slice(0, MOST_CHARACTERS);
  }
  return null;
}

function beginningOf(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return '';
  }
  try {
    const bytes = Buffer.alloc(MOST_BYTES);
    return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, MOST_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}
