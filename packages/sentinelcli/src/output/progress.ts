/**
 * A progress bar on standard error, for work that takes long enough to wonder. Shown on a terminal only, redrawn at
 * most ten times a second, gone when the work is done.
 */
import type { Terminal } from './terminal.ts';

export type Progress = {
  /** Tells how much is done; cheap enough to be called for every item, or for many at once. */
  readonly step: (done: number) => void;
  readonly end: () => void;
};

const FIRST_DRAW_MS = 300;
const REDRAW_MS = 100;
const BAR_CELLS = 24;
/** Looking at the clock for each of a million items would cost more than the items. */
const ITEMS_PER_LOOK = 256;

export function startProgress(
  terminal: Pick<Terminal, 'err' | 'errIsTty'>,
  what: string,
  total: number,
  clock: () => number = () => performance.now(),
): Progress {
  let nextDrawMs = clock() + FIRST_DRAW_MS;
  let drawn = false;
  let nextLook = ITEMS_PER_LOOK;
  return {
    step: (done) => {
      if (!terminal.errIsTty || done < nextLook) return;
      nextLook = done + ITEMS_PER_LOOK;
      if (clock() < nextDrawMs) return;
      nextDrawMs = clock() + REDRAW_MS;
      drawn = true;
      const share = total === 0 ? 0 : Math.min(1, done / total);
      const filled = Math.round(share * BAR_CELLS);
      terminal.err(`\r${what} ${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)} ${Math.floor(share * 100)} %`);
    },
    end: () => {
      if (drawn) terminal.err('\r\u001b[K');
    },
  };
}
