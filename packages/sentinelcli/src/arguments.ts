/**
 * The command line held against the commands that exist. What is not known is refused with the nearest thing that
 * is; nothing is guessed. Throws 'usage.invalid' alone.
 */
import { parseArgs } from 'node:util';
import { SentinelError } from '@sentineld/model/error';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { Command, GivenArguments } from './command.ts';
import { flag, text, texts, type Option, type Options } from './option.ts';

export type GlobalOptions = {
  readonly config: Option<string | null>;
  readonly 'state-dir': Option<string | null>;
  readonly set: Option<readonly string[]>;
  readonly 'no-color': Option<boolean>;
  readonly help: Option<boolean>;
  readonly version: Option<boolean>;
};

/** Options that every command takes. */
export const GLOBAL_OPTIONS: GlobalOptions = {
  config: text('FILE', "A configuration file above the user's own"),
  'state-dir': text('DIR', 'Where the databases and sockets are'),
  set: texts('KEY=VALUE', 'One setting; may be given again'),
  'no-color': flag('No colour (NO_COLOR and TERM=dumb say the same)'),
  help: flag('Show this help'),
  version: flag('Show the version'),
};

export type CommandLine =
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly command: Command | null; readonly group: string | null }
  | { readonly kind: 'run'; readonly command: Command; readonly given: GivenArguments };

const SHORT_HELP = 'h';

export function parseCommandLine(words: readonly string[], commands: readonly Command[]): CommandLine {
  const { positionals, options } = tokenize(words, commands);
  if (options.some(({ name }) => name === 'version')) return { kind: 'version' };
  const asksHelp = options.some(({ name }) => name === 'help') || positionals[0] === 'help';
  const named = positionals[0] === 'help' ? positionals.slice(1) : positionals;
  if (named.length === 0) {
    checkOptions(options, null, commands);
    return { kind: 'help', command: null, group: null };
  }
  const command = findCommand(named, commands);
  if (command === null) {
    const group = named[0] ?? '';
    if (asksHelp && commands.some(({ name }) => name.startsWith(`${group} `))) return { kind: 'help', command: null, group };
    throw unknownCommand(named, commands);
  }
  if (asksHelp) return { kind: 'help', command, group: null };
  checkOptions(options, command, commands);
  const rest = named.slice(command.name.split(' ').length);
  checkPositionals(rest, command);
  const given = Map.groupBy(options, ({ name }) => name);
  return {
    kind: 'run',
    command,
    given: { words: rest, options: new Map([...given].map(([name, list]) => [name, list.map(({ value }) => value ?? '')])) },
  };
}

type GivenOption = {
  readonly name: string;
  /** As it was written: --limit, -l. */
  readonly written: string;
  readonly value: string | undefined;
  /** True for --name=value. */
  readonly inline: boolean;
};

/** Every command's options at once: a name has one kind throughout (the command contract holds them to it). */
function tokenize(
  words: readonly string[],
  commands: readonly Command[],
): { readonly positionals: string[]; readonly options: GivenOption[] } {
  const all = [...commands.map(({ options }) => options), GLOBAL_OPTIONS].flatMap((options) => Object.entries(options));
  const specs = Object.fromEntries(
    all.map(([name, { kind }]) => [
      name,
      { type: kind === 'flag' ? 'boolean' : 'string', multiple: true, ...(name === 'help' ? { short: SHORT_HELP } : {}) } as const,
    ]),
  );
  const { tokens } = parseArgs({ args: [...words], options: specs, strict: false, allowPositionals: true, tokens: true });
  const positionals: string[] = [];
  const options: GivenOption[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'option')
      options.push({ name: token.name, written: token.rawName, value: token.value, inline: token.inlineValue === true });
  }
  return { positionals, options };
}

function findCommand(words: readonly string[], commands: readonly Command[]): Command | null {
  const longestFirst = commands.toSorted((a, b) => b.name.length - a.name.length);
  return longestFirst.find(({ name }) => name === words.slice(0, name.split(' ').length).join(' ')) ?? null;
}

function unknownCommand(words: readonly string[], commands: readonly Command[]): SentinelError {
  const [group = '', member] = words;
  const members = commands.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name.slice(group.length + 1)] : []));
  if (members.length === 0) {
    const nearest = nearestWord(group, [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))]);
    return usage(
      `unknown command "${group}"`,
      nearest === null ? 'sentinelcli --help lists the commands' : `did you mean "sentinelcli ${nearest}"?`,
    );
  }
  if (member === undefined)
    return usage(`"${group}" needs one of ${members.join(', ')}`, `sentinelcli ${group} --help says what each does`);
  const nearest = nearestWord(member, members);
  const hint = nearest === null ? `there are ${members.join(', ')}` : `did you mean "sentinelcli ${group} ${nearest}"?`;
  return usage(`unknown command "${group} ${member}"`, hint);
}

function checkOptions(given: readonly GivenOption[], command: Command | null, commands: readonly Command[]): void {
  const allowed: Options = { ...GLOBAL_OPTIONS, ...command?.options };
  for (const option of given) {
    const spec = Object.hasOwn(allowed, option.name) ? allowed[option.name] : undefined;
    if (spec === undefined) throw unknownOption(option, Object.keys(allowed), command, commands);
    if (spec.kind === 'flag') {
      if (option.inline) throw usage(`${option.written} takes no value`);
      continue;
    }
    const isMissing = option.value === undefined || (!option.inline && /^-./.test(option.value));
    if (isMissing) throw usage(`${option.written} needs a value`, `write ${option.written}=${spec.placeholder}`);
  }
}

function unknownOption(
  option: GivenOption,
  allowed: readonly string[],
  command: Command | null,
  commands: readonly Command[],
): SentinelError {
  const help = `sentinelcli ${command === null ? '' : `${command.name} `}--help lists the options`;
  const others = commands.filter(({ options }) => Object.hasOwn(options, option.name)).map(({ name }) => name);
  if (others.length > 0) {
    const place = command === null ? 'needs a command' : `is not an option of "${command.name}"`;
    return usage(`${option.written} ${place}`, `it belongs to ${others.join(', ')}; ${help}`);
  }
  const nearest = nearestWord(option.name, allowed);
  return usage(`unknown option ${option.written}`, nearest === null ? help : `did you mean --${nearest}?`);
}

function checkPositionals(words: readonly string[], { name, positionals }: Command): void {
  const missing = positionals.find((positional, at) => positional.required && words[at] === undefined);
  if (missing !== undefined) throw usage(`${name} needs ${missing.name}: ${missing.summary}`, `sentinelcli ${name} --help shows examples`);
  const extra = words[positionals.length];
  if (extra === undefined || positionals.at(-1)?.repeated === true) return;
  const hint =
    name === 'query' ? "put the statement between quotes: sentinelcli query 'SELECT …'" : `sentinelcli ${name} --help shows what it takes`;
  throw usage(`"${extra}" is one word too many for ${name}`, hint);
}

function usage(message: string, hint?: string): SentinelError {
  return new SentinelError('usage.invalid', { message, ...(hint === undefined ? {} : { hint }) });
}
