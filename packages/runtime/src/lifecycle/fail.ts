/**
 * How a program of ours ends when it cannot go on: what happened and what to do on standard error, and the exit
 * status that belongs to the error's code.
 */
import { SentinelError, messageOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';

/** Text for people of anything that was thrown; a stack only for bugs. Lines of the message are escaped one by one. */
export function describeFailure(program: string, thrown: unknown): string {
  if (!(thrown instanceof SentinelError)) {
    const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return `${program}: this is a bug: ${escapedLines(messageOf(thrown), '\n')}\n${escapedLines(stack, '\n')}\n`;
  }
  const message = escapedLines(thrown.message, '\n  ');
  const hint = thrown.hint === undefined ? '' : `  ${displayHostText(thrown.hint)}\n`;
  return `${program}: ${message}\n${hint}`;
}

function escapedLines(text: string, separator: string): string {
  return text.split('\n').map(displayHostText).join(separator);
}

/** The exit status for anything that was thrown: 70 for what is not a SentinelError. */
export function exitStatusOf(thrown: unknown): number {
  return thrown instanceof SentinelError ? thrown.exitStatus : 70;
}
