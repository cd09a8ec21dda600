/**
 * Takes secrets out of the arguments of a process before anything else sees them: passwords, tokens and keys become
 * `[redacted]`, and nothing else of an argument changes. Arguments are hostile: every step is linear in their length. What
 * it cannot know stays: a password that stands alone, without a name, a shape or a program that tells.
 */
import { createCleanBytes, type CleanBytes } from './redact/clean-bytes.ts';
import { findNamedValues } from './redact/named-values.ts';
import { createSecretNames, type SecretNames } from './redact/secret-names.ts';
import { isSpace, note, REDACTED, withoutSpans, type Found } from './redact/spans.ts';
import { findTokens, SHORTEST_TOKEN } from './redact/token-shapes.ts';
import { findUrlCredentials } from './redact/url-secrets.ts';
import { newWalk, takeInnerWords, takeWord, type Walk } from './redact/words.ts';

export { REDACTED };

export type RedactOptions = {
  readonly enabled: boolean;
  /** Names of options and variables whose value is a secret, beside the built-in ones. */
  readonly names: readonly string[];
  /** Regular expressions of JavaScript; what they match, or their first group where they have one, is a secret. */
  readonly patterns: readonly string[];
};

export type Redaction = {
  /** The very same array where no secret was found. */
  readonly argv: readonly string[];
  /** Secrets that were replaced. */
  readonly redacted: number;
};

export type Redactor = ((argv: readonly string[]) => Redaction) & {
  /** Whether nothing of these arguments would be replaced, by their bytes, each ended by NUL. False where that takes a closer look. */
  readonly isClean: CleanBytes;
};

/** Patterns are applied to so many first characters of an argument: nobody knows how long they would take for more. */
export const PATTERN_LIMIT = 4096;
/** What was found is taken out and what is left is looked at again, so often: a secret may have hidden another one. */
const ROUNDS = 4;

/**
 * Makes a redactor. Throws SyntaxError where a pattern is none: the configuration has checked them. `onSteps` is told how many
 * steps the built-in rules took for an argv, which a test holds against its length.
 */
export function createRedactor({ enabled, names, patterns }: RedactOptions, onSteps?: (steps: number) => void): Redactor {
  if (!enabled) return Object.assign((argv: readonly string[]) => ({ argv, redacted: 0 }), { isClean: () => true });
  const secretNames = createSecretNames(names);
  const compiled = patterns.map((pattern) => new RegExp(pattern, 'dg'));
  const redact = (argv: readonly string[]): Redaction => {
    let left = argv;
    for (let round = 0; round < ROUNDS; round++) {
      const before = left;
      left = redactOnce(before, secretNames, compiled, onSteps);
      if (left === before) break;
    }
    return { argv: left, redacted: left === argv ? 0 : Math.max(1, countRedacted(left) - countRedacted(argv)) };
  };
  // What a pattern finds nobody knows beforehand.
  return Object.assign(redact, { isClean: patterns.length > 0 ? () => false : createCleanBytes(secretNames.ends) });
}

/** The same array where nothing was found. */
function redactOnce(
  argv: readonly string[],
  names: SecretNames,
  patterns: readonly RegExp[],
  onSteps?: (steps: number) => void,
): readonly string[] {
  const walk = newWalk();
  let copy: string[] | null = null;
  let steps = 0;
  for (let i = 0; i < argv.length; i++) {
    const found: Found = { text: argv[i] ?? '', spans: [], steps: 0 };
    examine(walk, found, names, patterns);
    steps += found.steps;
    const left = found.spans.length === 0 ? found.text : withoutSpans(found);
    if (left === found.text) continue;
    copy ??= argv.slice();
    copy[i] = left;
  }
  onSteps?.(steps);
  return copy ?? argv;
}

/** Notes all secrets of one argument. */
function examine(walk: Walk, found: Found, names: SecretNames, patterns: readonly RegExp[]): void {
  const { text } = found;
  const isScript = walk.isScriptNext;
  const signs = signsOf(found);
  takeWord(walk, found, names, 0, text.length);
  if ((signs & SPACE) !== 0 && found.spans.length === 0) takeInnerWords(found, names, 0, text.length);
  if ((signs & SIGN) !== 0) {
    findNamedValues(found, names, isScript);
    if ((signs & AT) !== 0) findUrlCredentials(found);
  }
  if (text.length >= SHORTEST_TOKEN) findTokens(found);
  for (const pattern of patterns) findPattern(found, pattern);
}

const SIGN = 1;
const SPACE = 2;
const AT = 4;

/** Which of the signs are in the text without which there is nothing to look for. */
function signsOf(found: Found): number {
  const { text } = found;
  let signs = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 61 || code === 58) signs |= SIGN;
    else if (code === 64) signs |= AT;
    else if (isSpace(code)) signs |= SPACE;
  }
  found.steps += text.length;
  return signs;
}

function findPattern(found: Found, pattern: RegExp): void {
  const head = found.text.slice(0, PATTERN_LIMIT);
  for (const { indices } of head.matchAll(pattern)) {
    const place = indices?.[1] ?? indices?.[0];
    if (place === undefined || place[0] === place[1]) continue;
    const cut = redactedAround(found.text, place[0]);
    const otherCut = redactedAround(found.text, place[1]);
    note(found, cut ?? place[0], otherCut === null ? place[1] : otherCut + REDACTED.length);
  }
}

/** Where the mark begins that a place lies within: a pattern may match a part of it. */
function redactedAround(text: string, place: number): number | null {
  const from = Math.max(0, place - REDACTED.length + 1);
  const at = text.slice(from, place + REDACTED.length - 1).indexOf(REDACTED);
  return at < 0 ? null : from + at;
}

function countRedacted(argv: readonly string[]): number {
  let count = 0;
  for (const argument of argv) {
    for (let at = argument.indexOf(REDACTED); at >= 0; at = argument.indexOf(REDACTED, at + REDACTED.length)) count++;
  }
  return count;
}
