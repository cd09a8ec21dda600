/**
 * sentinelagent: runs the rules and delivers alerts. Reads its arguments and hands over; every failure ends in one
 * line that says what happened, one that says what to do, and the exit status of its kind.
 */
import { parseArgs } from 'node:util';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { VERSION } from '@sentineld/runtime/version';
import { run } from './run.ts';

const HELP = `sentinelagent ${VERSION}: runs detection rules over what procmond records, and delivers alerts

Usage:
  sentinelagent run            run until stopped
  sentinelagent --help | --version

Options:
  --config FILE      a configuration file above the user's (~/.config/sentineld/config.yaml)
  --state-dir DIR    where databases and sockets are
  --set KEY=VALUE    one setting, for instance --set detection.rules_dirs=[/etc/sentineld/rules]
  --supervised       stop when the parent process ends

As root the agent makes its directories, then becomes an unprivileged user without any capability.
Exit status: 0 fine, 2 usage, 3 configuration, 4 store or environment, 70 bug.
`;

const OPTIONS = {
  config: { type: 'string' },
  'state-dir': { type: 'string' },
  set: { type: 'string', multiple: true },
  supervised: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

async function main(programArguments: readonly string[]): Promise<void> {
  const { values, positionals } = parseArguments(programArguments);
  if (values.version === true) {
    process.stdout.write(`${VERSION}\n`);
  } else if (values.help === true || positionals.length === 0) {
    process.stdout.write(HELP);
  } else if (positionals.join(' ') === 'run') {
    const stateDir = values['state-dir'];
    await run({
      ...(values.config === undefined ? {} : { file: values.config }),
      assignments: [...(stateDir === undefined ? [] : [`state_dir=${stateDir}`]), ...(values.set ?? [])],
      supervised: values.supervised === true,
      programArguments,
    });
  } else {
    throw new SentinelError('usage.invalid', {
      message: `unknown command "${positionals.join(' ')}"`,
      hint: 'sentinelagent --help lists the commands',
    });
  }
}

function parseArguments(programArguments: readonly string[]) {
  try {
    return parseArgs({ args: [...programArguments], options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    throw new SentinelError('usage.invalid', { message: messageOf(cause), hint: 'sentinelagent --help lists the options', cause });
  }
}

try {
  await main(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(describeFailure('sentinelagent', cause));
  process.exit(exitStatusOf(cause));
}
