/**
 * Says on standard error that something goes on elsewhere, and for how long already. On a terminal alone, and gone when it ends.
 */
import type { Terminal } from './terminal.ts';
import { roughDuration } from './times.ts';

const FIRST_DRAW_MS = 1000;

export function startWaiting(terminal: Pick<Terminal, 'err' | 'errIsTty'>, what: string): { readonly end: () => void } {
  const startedMs = performance.now();
  let isDrawn = false;
  const timer = setInterval(() => {
    if (!terminal.errIsTty) return;
    isDrawn = true;
    terminal.err(`\r\u001b[K${what}, ${roughDuration(performance.now() - startedMs)}`);
  }, FIRST_DRAW_MS);
  return {
    end: () => {
      clearInterval(timer);
      if (isDrawn) terminal.err('\r\u001b[K');
    },
  };
}
