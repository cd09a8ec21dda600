/**
 * Makes names of files last.
 */
import { closeSync, constants, fsyncSync, openSync } from 'node:fs';

/** What was created, renamed or removed in the directory is on disk when this returns. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
