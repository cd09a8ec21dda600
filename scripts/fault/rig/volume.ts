/**
 * A file system that is full, or nearly so: a file in it is made as large as is wanted.
 */
import { appendFileSync, existsSync, rmSync, statfsSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

/** Writes until only `spareKiB` are left, or takes away what was written before until there are so many. */
export function fill(volume: string, spareKiB: number): void {
  const { bavail, bsize } = statfsSync(volume);
  const ballast = join(volume, 'ballast');
  const had = existsSync(ballast) ? statSync(ballast).size : 0;
  const wanted = Math.max(0, had + bavail * bsize - spareKiB * 1024);
  if (wanted <= had) return truncateSync(ballast, wanted);
  try {
    for (let at = had; at < wanted; at += 1_048_576) appendFileSync(ballast, Buffer.alloc(Math.min(1_048_576, wanted - at)));
  } catch {
    // Full already: somebody else wrote meanwhile.
  }
  return undefined;
}

/** Gives back what `fill` took. */
export function free(volume: string): void {
  rmSync(join(volume, 'ballast'), { force: true });
}
