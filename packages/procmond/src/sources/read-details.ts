/**
 * Reads what `stat` does not tell of a process, again where it called exec meanwhile, so that all of an image belongs
 * together.
 */
import type { ProcessImage } from '@sentineld/model/process';
import type { ExecutableGroups } from './executable-groups.ts';
import { NO_IMAGE, type KnownProcess } from './known-process.ts';
import { ZOMBIE } from './proc-stat.ts';
import { imageOf, isSameImage, WANT_IDENTITY, WANT_SURROUNDINGS, type ImageReader } from './process-image.ts';
import type { StatReader } from './stat-reader.ts';
import { heldStat } from './watched-file.ts';

const READ_ATTEMPTS = 3;

/** What details are read with. */
export type DetailsReader = ImageReader & {
  /** Fills `stat`. */
  readonly reader: StatReader;
  readonly groups: ExecutableGroups;
  /** Who started after this, in clock ticks after boot, is young and may be about to call exec. */
  youngSinceTicks: number;
  /** True while less is read of new processes. */
  isTrimmed: boolean;
};

/** What is read of a process beside `stat`: of one that is known all of it. */
export function wantedOf(state: DetailsReader, isNew: boolean): number {
  return isNew && state.isTrimmed ? WANT_IDENTITY : WANT_IDENTITY | WANT_SURROUNDINGS;
}

/**
 * Makes the image of a process whose `stat` was just read. `isRead` tells that the rest was read with it. False when the
 * process is gone. What is the same as before, or belongs to a process that has lived for a while, is taken as it is:
 * should such a process call exec just between two reads, the next scan sees another layout and reads it again.
 */
export function readDetails(state: DetailsReader, process: KnownProcess, isRead: boolean): boolean {
  const wants = wantedOf(state, process.image === NO_IMAGE);
  for (let attempt = 1; ; attempt++) {
    remember(state, process);
    if (attempt > 1 || !isRead) state.files.read(process.pid, wants);
    const image = imageOf(state, process, wants);
    if (image === null) return false;
    if (isSameImage(image, process.image)) return true;
    if (needsConfirmation(state, process, image)) {
      if (state.reader.read(heldStat(process), process.pid) !== 'read') return false;
      if (state.stat.startTicks !== process.startTicks) return false;
      if (attempt < READ_ATTEMPTS && !isAsRemembered(state, process)) continue;
    }
    state.groups.leave(process);
    process.image = image;
    process.isWithheld = image.unseen.length > 0;
    state.groups.join(process);
    return true;
  }
}

function needsConfirmation(state: DetailsReader, process: KnownProcess, image: ProcessImage): boolean {
  const isFirst = process.image === NO_IMAGE;
  // Without an executable and without a reason it has just ended.
  const isWithheld = image.unseen.some(({ field }) => field === 'exe');
  const hasEnded = image.exe === null && !isWithheld && !image.isKernelThread && !process.isZombie;
  return !isFirst || hasEnded || process.startTicks > state.youngSinceTicks;
}

function remember(state: DetailsReader, process: KnownProcess): void {
  const { stat } = state;
  process.name = state.reader.name(process.name);
  process.ppid = stat.ppid;
  process.layout = stat.layout;
  process.isZombie = stat.state === ZOMBIE;
}

function isAsRemembered(state: DetailsReader, process: KnownProcess): boolean {
  const { stat } = state;
  return state.reader.name(process.name) === process.name && stat.layout === process.layout && (stat.state === ZOMBIE) === process.isZombie;
}
