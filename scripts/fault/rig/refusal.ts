/**
 * What a program must look like that cannot go on: one line that says what happened, one that says what to do, exit
 * status 4, and no stack trace.
 */
import type { Finished } from './programs.ts';
import type { End } from './site.ts';

const REFUSED = 4;
/** What happened, why, and what to do. */
const MOST_LINES = 3;

/** Null where it ended as documented; `errors` is what it wrote to standard error, log lines included. */
export function refusalProblem(program: string, end: End, errors: string): string | null {
  const lines = errors.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  const shown = lines
    .slice(0, 3)
    .map((line) => line.slice(0, 300))
    .join(' | ');
  if (lines.some((line) => /^\s+at .+:\d+/.test(line))) return `${program} shows a stack trace: ${shown}`;
  const otherStatus = statusProblem(program, end);
  if (otherStatus !== null) return `${otherStatus}: ${shown}`;
  if (lines[0]?.startsWith(`${program}: `) !== true) return `${program} does not say what happened: ${shown}`;
  if (lines[1]?.startsWith('  ') !== true) return `${program} gives no hint: ${shown}`;
  return lines.length > MOST_LINES || lines.slice(1).some((line) => !line.startsWith('  '))
    ? `${program} says more than what happened and what to do: ${shown}`
    : null;
}

/** Null where it ended with the status of a refusal, whatever it could say. */
export function statusProblem(program: string, end: End): string | null {
  return end.status === REFUSED ? null : `${program} ends with ${end.signal ?? `exit status ${end.status ?? 'unknown'}`}`;
}

/** Null where the command-line tool ended as documented, whatever it had to say. */
export function toolProblem(words: readonly string[], { status, stderr }: Finished): string | null {
  const hasStack = /^\s+at .+:\d+/m.test(stderr);
  const shown = stderr
    .trim()
    .split('\n')
    .slice(0, 6)
    .map((line) => line.trim().slice(0, 200))
    .join(' | ');
  return hasStack || status === null || status > REFUSED
    ? `sentinelcli ${words.join(' ')}: exit status ${status ?? 'none'}: ${shown}`
    : null;
}
