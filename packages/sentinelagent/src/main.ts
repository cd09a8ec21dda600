/**
 * sentinelagent: runs the rules and delivers alerts. Reads its arguments and hands over; every failure ends in one
 * line each for what happened, why and what to do, and the exit status of its kind.
 */
import { CONFIG_OPTIONS, readArguments, writerConfig, type ProgramSyntax } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf, tellOutputFailures } from '@sentineld/runtime/lifecycle/fail';
import { VERSION } from '@sentineld/runtime/version';
import { run } from './run.ts';

const HELP = `sentinelagent ${VERSION}: runs detection rules over what procmond records, and delivers
alerts

Usage:
  sentinelagent run            run until stopped
  sentinelagent --help | --version

Options:
  --config FILE      a configuration file above the user's own
                     (~/.config/sentineld/config.yaml)
  --state-dir DIR    where databases and sockets are
  --set KEY=VALUE    one setting, for instance
                     --set detection.rules_dirs=[/etc/sentineld/rules];
                     may be given again
  --supervised       stop when the parent process ends

As root the agent makes its directories, then becomes an unprivileged user
without any capability. A SIGHUP has it load all rules anew, all or nothing.
Exit status: 0 fine, 2 usage, 3 configuration, 4 store or environment, 70 bug.
`;

const OPTIONS = {
  ...CONFIG_OPTIONS,
  supervised: { value: null },
  help: { value: null, short: 'h' },
  version: { value: null },
} as const;

const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = { program: 'sentinelagent', options: OPTIONS, words: ['run'], mostWords: 1 };

async function main(programArguments: readonly string[]): Promise<void> {
  const given = readArguments(SYNTAX, programArguments);
  if (given.has('version')) print(`${VERSION}\n`);
  else if (given.has('help') || given.words.length === 0) print(HELP);
  else await run({ ...writerConfig(given), supervised: given.has('supervised'), programArguments });
}

/** For what is asked of it by hand. A running agent goes on where nobody reads its output. */
function print(text: string): void {
  tellOutputFailures('sentinelagent');
  process.stdout.write(text);
}

try {
  await main(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(describeFailure('sentinelagent', cause));
  process.exit(exitStatusOf(cause));
}
