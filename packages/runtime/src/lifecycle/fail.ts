/**
 * How a program of ours ends when it cannot go on: one line each for what happened, why and what to do, on standard
 * error, and the exit status that belongs to the error's code.
 */
import { SentinelError, errnoOf, messageOf, reasonOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';

/** Three lines for people, of anything that was thrown; for a bug its stack follows. Nothing in it reaches the terminal unescaped. */
export function describeFailure(program: string, thrown: unknown): string {
  if (thrown instanceof SentinelError) return threeLines(program, thrown.message, thrown.why, thrown.hint);
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  const lines = stack.split('\n').map((line) => `${displayHostText(line)}\n`);
  const what = `this is a bug: ${messageOf(thrown)}`;
  return threeLines(program, what, 'something was met that cannot be', 'please report it with the lines below') + lines.join('');
}

function threeLines(program: string, what: string, why: string, hint: string): string {
  return `${program}: ${displayHostText(what)}\n  ${displayHostText(why)}\n  ${displayHostText(hint)}\n`;
}

/** That standard output took no more. */
export function outputFailure(cause: unknown): SentinelError {
  return new SentinelError('state.unusable', {
    message: 'standard output cannot be written',
    why: reasonOf(cause),
    hint: 'look at the disk or device that it leads to',
    cause,
  });
}

/** Has it told once where standard output takes no more; that nobody reads on is no failure. */
export function tellOutputFailures(program: string): void {
  let isTold = false;
  process.stdout.on('error', (cause) => {
    if (isTold || errnoOf(cause) === 'EPIPE') return;
    isTold = true;
    const failure = outputFailure(cause);
    process.stderr.write(describeFailure(program, failure));
    process.exitCode = failure.exitStatus;
  });
}

/** The exit status for anything that was thrown: 70 for what is not a SentinelError. */
export function exitStatusOf(thrown: unknown): number {
  return thrown instanceof SentinelError ? thrown.exitStatus : 70;
}
