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
  const named = withoutHelp(positionals);
  if (named.length === 0) {
    checkOptions(options, null, commands);
    return { kind: 'help', command: null, group: null };
  }
  const command = findCommand(named, commands);
  if (command === null) {
    const group = named[0] ?? '';
    if (asksHelp && named.length === 1 && commands.some(({ name }) => name.startsWith(`${group} `)))
      return { kind: 'help', command: null, group };
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

type Tokens = { readonly positionals: string[]; readonly options: GivenOption[] };

/**
 * The words as the command among them means them. An option may take a value with one command and none with another,
 * and may stand before the word that says which command it is: so both readings are tried for that word.
 */
function tokenize(words: readonly string[], commands: readonly Command[]): Tokens {
  const all = commands.flatMap(({ options }) => Object.entries(options));
  const flagsLast = all.toSorted(([, a], [, b]) => Number(a.kind === 'flag') - Number(b.kind === 'flag'));
  for (const reading of [flagsLast, flagsLast.toReversed()]) {
    const command = findCommand(withoutHelp(readTokens(words, reading).positionals), commands);
    if (command === null) continue;
    const tokens = readTokens(words, [...reading, ...Object.entries(command.options)]);
    if (findCommand(withoutHelp(tokens.positionals), commands) === command) return tokens;
  }
  return readTokens(words, flagsLast);
}

function withoutHelp(positionals: readonly string[]): readonly string[] {
  return positionals[0] === 'help' ? positionals.slice(1) : positionals;
}

/** Of options with the same name the last one says whether it takes a value. */
function readTokens(words: readonly string[], ofCommands: readonly (readonly [string, Option<unknown>])[]): Tokens {
  const all = [...ofCommands, ...Object.entries(GLOBAL_OPTIONS)];
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
  const names = commands.map(({ name }) => name.split(' '));
  const [word = ''] = words;
  if (!names.some(([first]) => first === word)) {
    const groups = [...new Set(names.map(([first = '']) => first))];
    return usage(`unknown command "${word}"`, `there are ${groups.join(', ')}`, meantInstead(word, groups, commands));
  }
  // As many words as a group of commands begins with: audit, audit key.
  const isGroup = (depth: number): boolean =>
    names.some((name) => name.length > depth && words.slice(0, depth).every((part, at) => name[at] === part));
  const depth = words[1] !== undefined && isGroup(2) ? 2 : 1;
  const group = words.slice(0, depth).join(' ');
  const members = [...new Set(names.flatMap((name) => (name.slice(0, depth).join(' ') === group ? (name[depth] ?? []) : [])))];
  const member = words[depth];
  const help = `sentinelcli ${word} --help says what each does`;
  if (member === undefined) return usage(`"${group}" alone is no command`, `it needs one of ${members.join(', ')} behind it`, help);
  const nearest = nearestWord(member, members);
  const hint = nearest === null ? help : `did you mean "sentinelcli ${group} ${nearest}"?`;
  return usage(`unknown command "${group} ${member}"`, `"${group}" has ${members.join(', ')}`, hint);
}

/** Words that other programs have for what this one calls differently. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  status: 'sentinelcli health',
  version: 'sentinelcli --version',
  sql: 'sentinelcli query',
  pstree: 'sentinelcli tree',
  dump: 'sentinelcli export',
  ps: "sentinelcli query 'SELECT pid, name FROM processes'",
  start: 'npx -y pnpm@12.21.0 start',
};

function meantInstead(word: string, groups: readonly string[], commands: readonly Command[]): string {
  const nearest = nearestWord(word, groups);
  const members = commands.flatMap(({ name }) => (name.endsWith(` ${word}`) ? [`"sentinelcli ${name}"`] : []));
  if (nearest !== null) return `did you mean "sentinelcli ${nearest}"?`;
  const other = Object.hasOwn(OTHER_WORDS, word) ? OTHER_WORDS[word] : undefined;
  if (other !== undefined) return `did you mean: ${other}`;
  return members.length > 0 ? `did you mean ${members.join(' or ')}?` : 'sentinelcli --help lists the commands';
}

function checkOptions(given: readonly GivenOption[], command: Command | null, commands: readonly Command[]): void {
  const allowed: Options = { ...GLOBAL_OPTIONS, ...command?.options };
  for (const option of given) {
    const spec = Object.hasOwn(allowed, option.name) ? allowed[option.name] : undefined;
    if (spec === undefined) throw unknownOption(option, Object.keys(allowed), command, commands);
    if (spec.kind === 'flag') {
      if (option.inline)
        throw usage(
          `${option.written}=${option.value ?? ''}: not taken`,
          `${option.written} takes no value`,
          `write ${option.written} alone`,
        );
      continue;
    }
    const why = whyNoValue(option);
    if (why !== null) throw usage(`${option.written} needs a value`, why, `write ${option.written}=${spec.placeholder}`);
  }
}

function whyNoValue({ value, inline }: GivenOption): string | null {
  if (value === undefined) return 'nothing follows it';
  if (value === '') return 'what follows it is empty, as an unset variable between quotes is';
  return !inline && /^-./.test(value) ? `${value} begins with a dash, so it is another option` : null;
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
    return usage(`${option.written} ${place}`, `it belongs to ${others.join(', ')}`, help);
  }
  // Of one letter the first is all that can be meant: -v, -j.
  const isLetter = option.name.length === 1;
  const nearest = isLetter
    ? allowed.toReversed().find((name) => name.startsWith(option.name.toLowerCase()))
    : nearestWord(option.name, allowed);
  const names =
    command === null ? Object.keys(GLOBAL_OPTIONS).filter((name) => name !== 'help' && name !== 'version') : Object.keys(command.options);
  const own = names.map((name) => `--${name}`);
  const none = own.length === 0 ? 'no options of its own' : own.join(', ');
  const why = command === null ? `every command takes ${none}` : `"${command.name}" takes ${none}`;
  return usage(`unknown option ${option.written}`, why, nearest === undefined || nearest === null ? help : `did you mean --${nearest}?`);
}

function checkPositionals(words: readonly string[], { name, positionals }: Command): void {
  const missing = positionals.find((positional, at) => positional.required && words[at] === undefined);
  if (missing !== undefined)
    throw usage(`${name} needs ${missing.name}`, `${missing.name} is ${missing.summary}`, `sentinelcli ${name} --help shows examples`);
  const empty = words.indexOf('');
  if (empty !== -1) {
    const placeholder = (positionals[empty] ?? positionals.at(-1))?.name ?? 'a word';
    throw usage(`${placeholder} of ${name} is empty`, 'an unset variable between quotes is', `sentinelcli ${name} --help shows examples`);
  }
  const extra = words[positionals.length];
  if (extra === undefined || positionals.at(-1)?.repeated === true) return;
  const hint =
    name === 'query' ? "put the statement between quotes: sentinelcli query 'SELECT …'" : `sentinelcli ${name} --help shows what it takes`;
  const most = positionals.length === 0 ? 'no words, options alone' : positionals.map((positional) => positional.name).join(' ');
  throw usage(`"${extra}" is one word too many`, `${name} takes ${most}`, hint);
}

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
