/**
 * Signals that end programs, kept for a while by work that has something to put away first. The work looks whether one
 * came, between its steps.
 */
import { constants } from 'node:os';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type KeptSignals = {
  /** What a shell reports of a program that the signal ended, 130 for Ctrl-C; null while none came. */
  readonly exitStatus: () => number | null;
  /** Signals end the program again. */
  readonly release: () => void;
};

export function keepSignals(): KeptSignals {
  let first: (typeof ENDING)[number] | null = null;
  const listeners = ENDING.map((signal) => {
    const listener = (): void => {
      first ??= signal;
    };
    process.on(signal, listener);
    return { signal, listener };
  });
  return {
    exitStatus: () => (first === null ? null : 128 + constants.signals[first]),
    release: () => {
      for (const { signal, listener } of listeners) process.off(signal, listener);
    },
  };
}
