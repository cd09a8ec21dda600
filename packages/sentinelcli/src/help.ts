/**
 * Help texts, drawn by yargs from the commands' own definitions. Loaded only when somebody asks for help: it costs a
 * third more than the start of the program without it.
 */
import yargs, { type Yargs } from 'yargs';
import { VERSION } from '@sentineld/runtime/version';
import { GLOBAL_OPTIONS } from './arguments.ts';
import type { Command, Example, Positional } from './command.ts';
import type { Options } from './option.ts';
import { indentText } from './output/wrap.ts';

const PROGRAM = 'sentinelcli';
const EXIT_STATUSES = 'Exit status: 0 fine, 1 found something, 2 usage, 3 configuration, 4 store or environment, 70 bug.';
const MOST_WIDTH = 100;
const MOST_EXAMPLES = 5;

/** Help for one command. */
export async function commandHelp(command: Command, width: number): Promise<string> {
  const usage = [PROGRAM, command.name, ...command.positionals.map(positionalText), '[options]'].join(' ');
  const page = startPage(`${usage}\n\n${command.description ?? `${command.summary}.`}`, width);
  addOptions(page, command.options, 'Options:');
  addOptions(page, GLOBAL_OPTIONS, 'Everywhere:');
  const words = command.positionals.map(({ name, summary }) => `  ${name.padEnd(8)}${summary}\n`);
  const argumentsText = words.length === 0 ? '' : `Arguments:\n${words.join('')}\n`;
  return `${await page.getHelp()}\n\n${argumentsText}${examplesText(command.examples)}\n${indentText(EXIT_STATUSES, width, '')}`;
}

/** Help for the program, or for the commands of one group. */
export async function overviewHelp(commands: readonly Command[], group: string | null, width: number): Promise<string> {
  const shown = group === null ? commands : commands.filter(({ name }) => name.startsWith(`${group} `));
  const intro =
    group === null
      ? `${PROGRAM} ${VERSION}: reads what SentinelD recorded on this host, and asks its daemons. It writes no database.`
      : `The commands of "${group}".`;
  const page = startPage(`${PROGRAM} ${group ?? ''}${group === null ? '' : ' '}<command> [options]\n\n${intro}`, width);
  for (const { name, positionals, summary } of shown) page.command([name, ...positionals.map(positionalText)].join(' '), summary);
  addOptions(page, GLOBAL_OPTIONS, 'Everywhere:');
  const examples = shown.slice(0, MOST_EXAMPLES).flatMap((command) => command.examples.slice(0, 1));
  const more = indentText(`"${PROGRAM} <command> --help" has more examples. ${EXIT_STATUSES}`, width, '');
  return `${await page.getHelp()}\n\n${examplesText(examples)}\n${more}`;
}

function startPage(usage: string, width: number): Yargs {
  return yargs([]).scriptName('').locale('en').help(false).version(false).exitProcess(false).wrap(Math.min(width, MOST_WIDTH)).usage(usage);
}

/** Nothing is parsed here, so an option may be called what help should show: `--config FILE`. */
function addOptions(page: Yargs, options: Options, group: string): void {
  for (const [name, { placeholder, summary }] of Object.entries(options)) {
    page.option(placeholder === '' ? name : `${name} ${placeholder}`, {
      describe: summary,
      group,
      ...(name === 'help' ? { alias: 'h' } : {}),
    });
  }
}

function positionalText({ name, required, repeated }: Positional): string {
  const word = repeated === true ? `${name}...` : name;
  return required ? `<${word}>` : `[${word}]`;
}

/** Not wrapped: what is broken in two cannot be copied. */
function examplesText(examples: readonly Example[]): string {
  return `Examples:\n${examples.map(({ line, what }) => `  ${line}\n      ${what}\n`).join('')}`;
}
