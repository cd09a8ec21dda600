/**
 * Help texts and the completion script, drawn by yargs from the commands' own definitions. Loaded only when somebody
 * asks: starting yargs costs more than a whole query does (docs/cli.md, start-up).
 */
import yargs, { type Yargs } from 'yargs';
import { VERSION } from '@sentineld/runtime/version';
import { GLOBAL_OPTIONS } from './arguments.ts';
import type { Command, Example, Positional } from './command.ts';
import type { Options } from './option.ts';

const PROGRAM = 'sentinelcli';
const EXIT_STATUSES = 'Exit status: 0 fine, 1 found something, 2 usage, 3 configuration, 4 store or environment, 70 bug.';
const MOST_WIDTH = 100;

/** Help for one command. */
export async function commandHelp(command: Command, width: number): Promise<string> {
  const usage = [PROGRAM, command.name, ...command.positionals.map(positionalText), '[options]'].join(' ');
  const page = startPage(`${usage}\n\n${command.description ?? `${command.summary}.`}`, width);
  addOptions(page, command.options, 'Options:');
  addOptions(page, GLOBAL_OPTIONS, 'Everywhere:');
  const words = command.positionals.map((positional) => `  ${positional.name.padEnd(10)}  ${positional.summary}`);
  const argumentsText = words.length === 0 ? '' : `Arguments:\n${words.join('\n')}\n\n`;
  page.epilogue(`${argumentsText}${examplesText(command.examples)}\n\n${EXIT_STATUSES}`);
  return `${await page.getHelp()}\n`;
}

/** Help for the program, or for the commands of one group. */
export async function overviewHelp(commands: readonly Command[], group: string | null, width: number): Promise<string> {
  const shown = group === null ? commands : commands.filter(({ name }) => name.startsWith(`${group} `));
  const intro = group === null ? `${PROGRAM} ${VERSION}: reads what SentinelD recorded on this host. It never changes it.` : `The commands of "${group}".`;
  const page = startPage(`${PROGRAM} ${group ?? ''}${group === null ? '' : ' '}<command> [options]\n\n${intro}`, width);
  for (const { name, positionals, summary } of shown) page.command([name, ...positionals.map(positionalText)].join(' '), summary);
  addOptions(page, GLOBAL_OPTIONS, 'Everywhere:');
  const examples = shown.flatMap((command) => command.examples.slice(0, 1));
  page.epilogue(`${examplesText(examples)}\n\n"${PROGRAM} <command> --help" has more of them. ${EXIT_STATUSES}`);
  return `${await page.getHelp()}\n`;
}

function startPage(usage: string, width: number): Yargs {
  return yargs([]).scriptName(PROGRAM).locale('en').help(false).version(false).exitProcess(false).wrap(Math.min(width, MOST_WIDTH)).usage(usage);
}

/** Nothing is parsed here, so an option may be called what help should show: `--config FILE`. */
function addOptions(page: Yargs, options: Options, group: string): void {
  for (const [name, { placeholder, summary }] of Object.entries(options)) {
    page.option(placeholder === '' ? name : `${name} ${placeholder}`, { describe: summary, group, ...(name === 'help' ? { alias: 'h' } : {}) });
  }
}

function positionalText({ name, required, repeated }: Positional): string {
  const word = repeated === true ? `${name}...` : name;
  return required ? `<${word}>` : `[${word}]`;
}

function examplesText(examples: readonly Example[]): string {
  return `Examples:\n${examples.map(({ line, what }) => `  ${line}\n      ${what}`).join('\n')}`;
}
