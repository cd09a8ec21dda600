/**
 * procmond: the privileged collector. Reads its arguments and hands over; every failure ends in one line that says
 * what happened, one that says what to do, and the exit status of its kind.
 */
import { parseArgs } from 'node:util';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { VERSION } from '@sentineld/runtime/version';
import { run } from './run.ts';
import { selfCheck } from './self-check.ts';

const HELP = `procmond ${VERSION}: records every process of this machine and an audit ledger

Usage:
  procmond run [--once]        collect until stopped; --once: one scan, printed as JSON
  procmond self-check          say whether this machine lets procmond do its work
  procmond --help | --version

Options:
  --config FILE      a configuration file above the user's (~/.config/sentineld/config.yaml)
  --state-dir DIR    where databases and sockets are
  --set KEY=VALUE    one setting, for instance --set collection.interval=2s; may be given again
  --verbose          with self-check: every figure
  --supervised       with run: stop when the parent process ends

As root procmond makes its directories, then becomes an unprivileged user that keeps CAP_SYS_PTRACE alone.
Exit status: 0 fine, 1 found something, 2 usage, 3 configuration, 4 store or environment, 70 bug.
`;

const OPTIONS = {
  config: { type: 'string' },
  'state-dir': { type: 'string' },
  set: { type: 'string', multiple: true },
  once: { type: 'boolean' },
  supervised: { type: 'boolean' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

async function main(programArguments: readonly string[]): Promise<void> {
  const { values, positionals } = parseArguments(programArguments);
  if (values.version === true) return print(`${VERSION}\n`);
  if (values.help === true || positionals.length === 0) return print(HELP);
  const load = {
    ...(values.config === undefined ? {} : { file: values.config }),
    assignments: [...(values['state-dir'] === undefined ? [] : [`state_dir=${values['state-dir']}`]), ...(values.set ?? [])],
  };
  switch (positionals.join(' ')) {
    case 'run':
      return run({ ...load, once: values.once === true, supervised: values.supervised === true, programArguments });
    case 'self-check':
      process.exitCode = selfCheck(load, values.verbose === true, print);
      return undefined;
    default:
      throw new SentinelError('usage.invalid', {
        message: `unknown command "${positionals.join(' ')}"`,
        hint: 'procmond --help lists the commands',
      });
  }
}

function parseArguments(programArguments: readonly string[]) {
  try {
    return parseArgs({ args: [...programArguments], options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    throw new SentinelError('usage.invalid', { message: messageOf(cause), hint: 'procmond --help lists the options', cause });
  }
}

function print(text: string): void {
  process.stdout.write(text);
}

try {
  await main(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(describeFailure('procmond', cause));
  process.exit(exitStatusOf(cause));
}
