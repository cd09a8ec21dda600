/**
 * The program without its surroundings: arguments in, exit status out. Errors of every kind end here, as text on
 * standard error, or as JSON where the command was asked for JSON.
 */
import { resolve } from 'node:path';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { loadConfig, type LoadedConfig } from '@sentineld/runtime/config/load';
import { statePaths } from '@sentineld/runtime/config/state-dir';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { VERSION } from '@sentineld/runtime/version';
import { GLOBAL_OPTIONS, parseCommandLine, type CommandLine } from './arguments.ts';
import type { CommandContext, GivenArguments } from './command.ts';
import { COMPLETE_WORD } from './commands/completion.ts';
import { COMMANDS } from './commands/registry.ts';
import { completionWords } from './completion-words.ts';
import { jsonText } from './output/json.ts';
import { createTerminal, type Terminal, type TextStream } from './output/terminal.ts';

export type Surroundings = {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now?: () => number;
  /** Told that standard output took no more, for another reason than that nobody reads it. */
  readonly onWriteFailure?: (error: SentinelError) => void;
};

/** Runs one command line. Never throws. */
export async function runProgram(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const terminal = createTerminal({ ...surroundings, noColor: words.includes('--no-color') });
  try {
    if (words[0] === COMPLETE_WORD) {
      terminal.out(
        completionWords(words.slice(1), COMMANDS)
          .map((word) => `${word}\n`)
          .join(''),
      );
      return 0;
    }
    return await runCommandLine(parseCommandLine(words, COMMANDS), terminal, surroundings);
  } catch (cause) {
    terminal.err(words.includes('--json') ? errorJson(cause) : errorText(cause));
    return exitStatusOf(cause);
  }
}

async function runCommandLine(line: CommandLine, terminal: Terminal, surroundings: Surroundings): Promise<number> {
  switch (line.kind) {
    case 'version':
      terminal.out(`${VERSION}\n`);
      return 0;
    case 'help': {
      const { commandHelp, overviewHelp } = await import('./help.ts');
      const { command, group } = line;
      terminal.out(command === null ? await overviewHelp(COMMANDS, group, terminal.width) : await commandHelp(command, terminal.width));
      return 0;
    }
    case 'run':
      return line.command.run(createContext(line.given, terminal, surroundings), line.given);
  }
}

function createContext({ options }: GivenArguments, terminal: Terminal, { environment, now }: Surroundings): CommandContext {
  const configFile = GLOBAL_OPTIONS.config.read('config', options.get('config') ?? []);
  const stateDir = GLOBAL_OPTIONS['state-dir'].read('state-dir', options.get('state-dir') ?? []);
  const assignments = [...(stateDir === null ? [] : [`state_dir=${JSON.stringify(resolve(stateDir))}`]), ...(options.get('set') ?? [])];
  let loaded: LoadedConfig | null = null;
  const config = (): LoadedConfig =>
    (loaded ??= loadConfig({ ...(configFile === null ? {} : { file: configFile }), assignments, environment }));
  return { terminal, config, paths: () => statePaths(config().config.state_dir), environment, now: now ?? Date.now };
}

/** Three lines; a refused statement is shown below them, with a mark at the place. */
function errorText(cause: unknown): string {
  const excerpt = cause instanceof SentinelError ? cause.context['excerpt'] : undefined;
  const lines = typeof excerpt === 'string' ? excerpt.split('\n').map((line) => `    ${displayHostText(line)}\n`) : [];
  return describeFailure('sentinelcli', cause) + lines.join('');
}

function errorJson(cause: unknown): string {
  const isOurs = cause instanceof SentinelError;
  const refusal = isOurs ? cause.context['refusal'] : undefined;
  const error = {
    code: isOurs ? cause.code : 'internal.bug',
    message: messageOf(cause),
    why: isOurs ? cause.why : null,
    hint: isOurs ? cause.hint : null,
  };
  return `${jsonText({ error: refusal === undefined ? error : { ...error, refusal } })}\n`;
}
