/**
 * How much memory Node may keep, for programs that run all the time on a machine whose memory belongs to others.
 */
import { setFlagsFromString } from 'node:v8';

/** A small young generation, and no threads of V8, each of which has an arena of malloc's. They cost no measurable CPU time. */
export const DAEMON_NODE_FLAGS: readonly string[] = [
  '--max-semi-space-size=1',
  '--single-threaded',
  '--disable-warning=ExperimentalWarning',
];

/**
 * Has V8 give pages back at once that it would otherwise keep for the next burst. To be called when the work of the start
 * is done, which it would make a tenth slower: a first scan of 10,000 processes leaves 15 MB behind.
 */
export function keepSmall(): void {
  setFlagsFromString('--optimize-for-size');
}

/** What this Node was given, and what of the flags is missing. */
export function daemonNodeArguments(given: readonly string[] = process.execArgv): readonly string[] {
  return [...given, ...missingFlags(given)];
}

export function hasDaemonFlags(given: readonly string[] = process.execArgv): boolean {
  return missingFlags(given).length === 0;
}

function missingFlags(given: readonly string[]): readonly string[] {
  return DAEMON_NODE_FLAGS.filter((flag) => !given.includes(flag));
}
