/**
 * A progress bar that also says how long it will take: the time so far tells, as long as the steps cost about the same.
 */
import { startProgress, type Progress } from './output/progress.ts';
import type { Terminal } from './output/terminal.ts';
import { roughDuration } from './output/times.ts';

/** Before that the time so far says little. */
const LEAST_SHARE = 0.02;
/** The bar looks at the clock once in so many steps; of few steps each is worth a look. */
const PARTS_PER_STEP = 256;

export function startTimedProgress(
  terminal: Pick<Terminal, 'err' | 'errIsTty'>,
  what: string,
  total: number,
  clock: () => number = () => performance.now(),
): Progress {
  const startedMs = clock();
  let share = 0;
  const left = (): string => {
    if (share < LEAST_SHARE) return '';
    return `, ${roughDuration(((clock() - startedMs) * (1 - share)) / share)} left`;
  };
  // The text may have become shorter: what stood behind it is cleared.
  const err = (text: string): void => terminal.err(text.endsWith('%') ? `${text}${left()}\u001b[K` : text);
  const progress = startProgress({ err, errIsTty: terminal.errIsTty }, what, total * PARTS_PER_STEP, clock);
  return {
    step: (done) => {
      share = total === 0 ? 0 : Math.min(1, done / total);
      progress.step(done * PARTS_PER_STEP);
    },
    end: progress.end,
  };
}
