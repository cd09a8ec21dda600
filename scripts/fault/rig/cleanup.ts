/**
 * What a campaign made and has to take away again, newest first: at its end, after a failure, and when it is interrupted.
 */
import { messageOf } from '@sentineld/model/error';

export type Cleanup = {
  /** `undo` runs once at the end; what it throws is reported and does not keep the others from running. */
  readonly defer: (what: string, undo: () => Promise<void> | void) => void;
  readonly unwind: () => Promise<void>;
};

export function createCleanup(): Cleanup {
  const pending: { readonly what: string; readonly undo: () => Promise<void> | void }[] = [];
  let unwinding: Promise<void> | null = null;
  const unwindAll = async (): Promise<void> => {
    for (let last = pending.pop(); last !== undefined; last = pending.pop()) {
      try {
        await last.undo();
      } catch (cause) {
        process.stderr.write(`fault: cannot undo "${last.what}": ${messageOf(cause)}\n`);
      }
    }
  };
  return {
    defer: (what, undo) => void pending.push({ what, undo }),
    unwind: () => {
      unwinding ??= unwindAll().finally(() => {
        unwinding = null;
      });
      return unwinding;
    },
  };
}

/** On a signal everything is taken away before the program ends as that signal would have ended it. */
export function unwindOnSignals(cleanup: Cleanup): void {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      process.stderr.write(`fault: ${signal}: taking everything away\n`);
      void cleanup.unwind().then(() => process.exit(status));
    });
  }
}
