/**
 * procmond: the privileged collector. Reads its arguments and hands over; every failure ends in one line each for
 * what happened, why and what to do, and the exit status of its kind.
 */
import { CONFIG_OPTIONS, readArguments, writerConfig, type ProgramSyntax } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf, tellOutputFailures } from '@sentineld/runtime/lifecycle/fail';
import { VERSION } from '@sentineld/runtime/version';
import { run } from './run.ts';
import { selfCheck } from './self-check.ts';

const HELP = `procmond ${VERSION}: records every process of this machine and an audit ledger

Usage:
  procmond run [--once]   collect until stopped; --once: one scan, printed as JSON
  procmond self-check     say whether this machine lets procmond do its work
  procmond --help | --version

Options:
  --config FILE      a configuration file above the user's own
                     (~/.config/sentineld/config.yaml)
  --state-dir DIR    where databases and sockets are
  --set KEY=VALUE    one setting, for instance --set collection.interval=2s;
                     may be given again
  --verbose          with self-check: every figure
  --supervised       with run: stop when the parent process ends

As root procmond makes its directories, then becomes an unprivileged user that
keeps CAP_SYS_PTRACE alone.
Exit status: 0 fine, 1 found something, 2 usage, 3 configuration, 4 store or
environment, 70 bug.
`;

const OPTIONS = {
  ...CONFIG_OPTIONS,
  once: { value: null, only: 'run' },
  supervised: { value: null, only: 'run' },
  verbose: { value: null, only: 'self-check' },
  help: { value: null, short: 'h' },
  version: { value: null },
} as const;

const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = { program: 'procmond', options: OPTIONS, words: ['run', 'self-check'], mostWords: 1 };

async function main(programArguments: readonly string[]): Promise<void> {
  const given = readArguments(SYNTAX, programArguments);
  if (given.has('version')) return print(`${VERSION}\n`);
  if (given.has('help') || given.words.length === 0) return print(HELP);
  const config = writerConfig(given);
  if (given.words[0] === 'run') return run({ ...config, once: given.has('once'), supervised: given.has('supervised'), programArguments });
  process.exitCode = selfCheck(config, given.has('verbose'), print);
  return undefined;
}

function print(text: string): void {
  process.stdout.write(text);
}

tellOutputFailures('procmond');
try {
  await main(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(describeFailure('procmond', cause));
  process.exit(exitStatusOf(cause));
}
