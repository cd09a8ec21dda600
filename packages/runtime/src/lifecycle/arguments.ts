/**
 * The command line of a program with few options, held against what it knows: what is unknown, incomplete or too much
 * is refused with what was probably meant. sentinelcli, which has commands with options of their own, has its own.
 */
import { resolve } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import type { LoadOptions } from '../config/load.ts';
import { nearestWord } from '../config/nearest-word.ts';

export type ProgramOption = {
  /** Stands for the value in messages: FILE, N; null for an option without one. */
  readonly value: string | null;
  readonly short?: string;
  /** The words that it goes with; with any where it is left out. */
  readonly only?: string | readonly string[];
};

export type ProgramSyntax<Name extends string> = {
  /** As it is called: procmond, pnpm start. */
  readonly program: string;
  readonly options: Readonly<Record<Name, ProgramOption>>;
  /** The words that it takes, and how many of them at most. */
  readonly words: readonly string[];
  readonly mostWords: number;
};

export type ProgramArguments<Name extends string> = {
  readonly words: readonly string[];
  readonly has: (name: Name) => boolean;
  /** The value that was given last. */
  readonly text: (name: Name) => string | undefined;
  readonly texts: (name: Name) => readonly string[];
};

/** What loadConfig is to be given. */
export type WriterConfig = LoadOptions & { readonly assignments: readonly string[] };

type ConfigOption = 'config' | 'state-dir' | 'set';

/** Options with which each program that writes is told its configuration. */
export const CONFIG_OPTIONS: Readonly<Record<ConfigOption, ProgramOption>> = {
  config: { value: 'FILE' },
  'state-dir': { value: 'DIR' },
  set: { value: 'KEY=VALUE' },
};

/** What those options stand for. A directory is one from where the program is called. */
export function writerConfig({ text, texts }: ProgramArguments<ConfigOption>): WriterConfig {
  const file = text('config');
  const stateDir = text('state-dir');
  return {
    use: 'write',
    ...(file === undefined ? {} : { file }),
    assignments: [...(stateDir === undefined ? [] : [`state_dir=${JSON.stringify(resolve(stateDir))}`]), ...texts('set')],
  };
}

/** Reads a command line. Throws 'usage.invalid' alone. */
export function readArguments<Name extends string>(syntax: ProgramSyntax<Name>, given: readonly string[]): ProgramArguments<Name> {
  const options: Readonly<Record<string, ProgramOption>> = syntax.options;
  const { words, written } = tokenize(options, given);
  const texts = new Map<string, string[]>();
  for (const { name, as, value, isInline } of written) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) throw unknownOption(syntax, as, name);
    checkValue(as, option, value, isInline);
    texts.set(name, [...(texts.get(name) ?? []), value ?? '']);
  }
  // Whoever asks for help may have got the rest wrong.
  if (!texts.has('help') && !texts.has('version')) {
    checkWords(syntax, words);
    for (const name of texts.keys()) checkPlace(syntax, name, options[name]?.only, words);
  }
  return { words, has: (name) => texts.has(name), text: (name) => texts.get(name)?.at(-1), texts: (name) => texts.get(name) ?? [] };
}

type WrittenOption = {
  readonly name: string;
  /** As it was written: --help, -h. */
  readonly as: string;
  readonly value: string | undefined;
  /** True for --name=value. */
  readonly isInline: boolean;
};

/** What is an option, what its value and what a word; `--` ends the options. Nothing is judged yet. */
function tokenize(options: Readonly<Record<string, ProgramOption>>, given: readonly string[]) {
  const words: string[] = [];
  const written: WrittenOption[] = [];
  const end = given.includes('--') ? given.indexOf('--') : given.length;
  for (let at = 0; at < end; at++) {
    const argument = given[at] ?? '';
    const [, long, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const letter = /^-[^-]/.test(argument) ? argument.charAt(1) : undefined;
    if (long !== undefined) {
      const takesNext = inline === undefined && Object.hasOwn(options, long) && options[long]?.value !== null;
      if (takesNext) at++;
      written.push({ name: long, as: `--${long}`, value: takesNext && at < end ? given[at] : inline, isInline: inline !== undefined });
    } else if (letter !== undefined) {
      const name = Object.entries(options).find(([, { short }]) => short === letter)?.[0] ?? letter;
      written.push({ name, as: `-${letter}`, value: undefined, isInline: false });
    } else {
      words.push(argument);
    }
  }
  return { words: [...words, ...given.slice(end + 1)], written };
}

/** A whole number within bounds. Throws 'usage.invalid'. */
export function readWholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usageError(
    `${option} ${text}: not taken`,
    `it must be a whole number from ${least} to ${most}`,
    `write for instance ${option} ${least}`,
  );
}

export function usageError(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}

function unknownOption({ program, options }: ProgramSyntax<string>, written: string, name: string): SentinelError {
  const known = Object.keys(options);
  const nearest = nearestWord(name, known);
  const own = known.filter((option) => option !== 'help' && option !== 'version');
  const why = `${program} takes ${own.map((option) => `--${option}`).join(', ')}`;
  return usageError(`unknown option ${written}`, why, nearest === null ? `${program} --help lists them` : `did you mean --${nearest}?`);
}

function checkValue(written: string, { value: placeholder }: ProgramOption, value: string | undefined, isInline: boolean): void {
  if (placeholder === null) {
    if (isInline) throw usageError(`${written}=${value ?? ''}: not taken`, `${written} takes no value`, `write ${written} alone`);
    return;
  }
  const isMissing = value === undefined || value === '' || (!isInline && /^-./.test(value));
  if (!isMissing) return;
  const why = value === '' ? 'an empty one would stand for nothing' : `${placeholder} stands for it, and nothing that can be it follows`;
  throw usageError(`${written} needs a value`, why, `write ${written}=${placeholder}`);
}

function checkWords({ program, words: known, mostWords }: ProgramSyntax<string>, words: readonly string[]): void {
  const extra = words[mostWords];
  const unknown = words.find((word) => !known.includes(word));
  if (known.length > 0 && unknown !== undefined) {
    const nearest = nearestWord(unknown, known);
    const hint = nearest === null ? `${program} --help says what each does` : `did you mean "${program} ${nearest}"?`;
    throw usageError(`unknown command "${unknown}"`, `${program} knows ${known.join(', ')}`, hint);
  }
  if (extra === undefined) return;
  const most = mostWords === 0 ? 'no words, options alone' : mostWords === 1 ? 'one word' : `${mostWords} words`;
  throw usageError(`"${extra}" is one word too many`, `${program} takes ${most}`, `leave it out; ${program} --help shows what is taken`);
}

function checkPlace({ program }: ProgramSyntax<string>, name: string, only: ProgramOption['only'], words: readonly string[]): void {
  const places = typeof only === 'string' ? [only] : (only ?? []);
  const [first] = places;
  if (first === undefined || words.length === 0 || words.some((word) => places.includes(word))) return;
  const why = `it says something about ${places.map((place) => `"${program} ${place}"`).join(' and ')} alone`;
  throw usageError(`--${name} does not go with "${words.join(' ')}"`, why, `leave it out, or write: ${program} ${first} --${name}`);
}
