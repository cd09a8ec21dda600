/**
 * How a program of ours learns that it should stop: a signal, or the death of the process that started it.
 */
import { startTicksOf } from './process-identity.ts';

export type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'parent_died';

export type ShutdownOptions = {
  /** Stop when this process is no longer the parent. */
  readonly watchParent: boolean;
  /** Further processes whose death stops this one. */
  readonly watchPids?: readonly number[];
  readonly onStop: (reason: StopReason) => void;
  /** Called for SIGHUP where it does not mean to stop. */
  readonly onHangup?: () => void;
};

const WATCH_INTERVAL_MS = 500;

/** Starts listening; `onStop` is called once. Returns a function that stops listening. */
export function listenForStop(options: ShutdownOptions): () => void {
  let stopped = false;
  const stop = (reason: StopReason): void => {
    if (stopped) return;
    stopped = true;
    options.onStop(reason);
  };
  const onInterrupt = (): void => stop('SIGINT');
  const onTerminate = (): void => stop('SIGTERM');
  const onHangup = (): void => (options.onHangup ? options.onHangup() : stop('SIGHUP'));
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  process.on('SIGHUP', onHangup);
  const parent = process.ppid;
  const watched = (options.watchPids ?? []).map((pid) => ({ pid, startTicks: startTicksOf(pid) }));
  const timer = setInterval(() => {
    if (options.watchParent && process.ppid !== parent) stop('parent_died');
    if (watched.some(({ pid, startTicks }) => startTicks === null || startTicksOf(pid) !== startTicks)) stop('parent_died');
  }, WATCH_INTERVAL_MS);
  return () => {
    clearInterval(timer);
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
    process.off('SIGHUP', onHangup);
  };
}
