/**
 * The kinds of options a command may have. One value says how an option is written, what it means and how its text
 * becomes a value: parsing, help and completion are all built from it.
 */
import { SentinelError } from '@sentineld/model/error';
import { formatDuration, parseDuration } from '@sentineld/runtime/config/quantity';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';

/** An option as written on the command line: nothing, or the texts that were given in their order. */
export type GivenTexts = readonly string[];

export type Option<Value> = {
  readonly kind: 'flag' | 'text';
  readonly summary: string;
  /** Stands for the value in help texts: FILE, N, 1h. */
  readonly placeholder: string;
  readonly repeatable: boolean;
  readonly choices: readonly string[];
  /** The value of what was given; `name` is for messages. Throws 'usage.invalid'. */
  readonly read: (name: string, texts: GivenTexts) => Value;
};

export type Options = Readonly<Record<string, Option<unknown>>>;
export type OptionValues<Given extends Options> = {
  readonly [Name in keyof Given]: Given[Name] extends Option<infer Value> ? Value : never;
};

const TEXT = { kind: 'text', repeatable: false, choices: [] } as const;

export function flag(summary: string): Option<boolean> {
  return { kind: 'flag', summary, placeholder: '', repeatable: false, choices: [], read: (_, texts) => texts.length > 0 };
}

export function text(placeholder: string, summary: string): Option<string | null> {
  return { ...TEXT, summary, placeholder, read: (_, texts) => texts.at(-1) ?? null };
}

export function texts(placeholder: string, summary: string): Option<readonly string[]> {
  return { ...TEXT, summary, placeholder, repeatable: true, read: (_, texts) => texts };
}

export function choice<const Word extends string>(words: readonly Word[], summary: string): Option<Word | null> {
  const read = (name: string, texts: GivenTexts): Word | null => {
    const given = texts.at(-1);
    return given === undefined ? null : wordOf(name, given, words);
  };
  return { ...TEXT, summary, placeholder: words.join('|'), choices: words, read };
}

/** Some of the words, each once, in the order in which they were given. */
export function choices<const Word extends string>(placeholder: string, words: readonly Word[], summary: string): Option<readonly Word[]> {
  const read = (name: string, texts: GivenTexts): readonly Word[] => [...new Set(texts.map((given) => wordOf(name, given, words)))];
  return { ...TEXT, summary, placeholder, repeatable: true, choices: words, read };
}

function wordOf<Word extends string>(name: string, given: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === given);
  if (found !== undefined) return found;
  const nearest = nearestWord(given, words);
  throw invalid(
    `--${name} ${given}: not taken`,
    `it must be one of ${words.join(', ')}`,
    nearest === null ? `write for instance --${name} ${words.at(-1) ?? ''}` : `did you mean --${name} ${nearest}?`,
  );
}

/** A whole number within bounds; `fallback` where it is not given. */
export function wholeNumber(bounds: { readonly least: number; readonly most: number }, fallback: number, summary: string): Option<number> {
  const read = (name: string, texts: GivenTexts): number => {
    const given = texts.at(-1);
    if (given === undefined) return fallback;
    const value = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= bounds.least && value <= bounds.most) return value;
    const form = `it must be a whole number from ${bounds.least} to ${bounds.most}`;
    throw invalid(`--${name} ${given}: not taken`, form, `write for instance --${name} ${fallback}`);
  };
  return { ...TEXT, summary: `${summary} (default ${fallback})`, placeholder: 'N', read };
}

/** A number that counts something from 1, as entries are counted; null where it is not given. */
export function ordinal(summary: string): Option<number | null> {
  const read = (name: string, texts: GivenTexts): number | null => {
    const given = texts.at(-1);
    return given === undefined ? null : readOrdinal(`--${name} ${given}`, given, `write for instance --${name} 1`);
  };
  return { ...TEXT, summary, placeholder: 'N', read };
}

/** The number that a word stands for; `place` names the word in messages. Throws 'usage.invalid'. */
export function readOrdinal(place: string, given: string, hint: string): number {
  if (/^[1-9]\d{0,14}$/.test(given)) return Number(given);
  throw invalid(`${place}: not taken`, 'it must be a whole number from 1', hint);
}

/** Milliseconds of a duration such as 30s, 5m, 1h, 7d; null where it is not given. */
export function duration(bounds: { readonly leastMs: number; readonly mostMs: number }, summary: string): Option<number | null> {
  const read = (name: string, texts: GivenTexts): number | null => {
    const given = texts.at(-1);
    if (given === undefined) return null;
    const value = parseDuration(given);
    if (value !== null && value >= bounds.leastMs && value <= bounds.mostMs) return value;
    const range = `from ${formatDuration(bounds.leastMs)} to ${formatDuration(bounds.mostMs)}`;
    throw invalid(
      `--${name} ${given}: not taken`,
      value === null ? 'it must be a number with a unit: ms, s, m, h or d' : `it must be ${range}`,
      `write for instance --${name} ${formatDuration(Math.min(Math.max(5 * 60_000, bounds.leastMs), bounds.mostMs))}`,
    );
  };
  return { ...TEXT, summary, placeholder: '1h', read };
}

function invalid(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
