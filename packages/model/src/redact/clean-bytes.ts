/**
 * One look at the bytes of a command line which says of most that no rule can find a secret in them, so that nothing
 * else has to look. It may suspect too much, never too little: whatever a rule begins with is suspected here.
 */
import { LONGEST_PROGRAM_NAME, PROGRAM_ENDINGS, PROGRAM_RULES } from './programs.ts';
import { BACKSLASH, isAlphanumeric, isNameCharacter, isQuote, isSpace } from './spans.ts';
import { TOKEN_STARTS } from './token-shapes.ts';

/** Whether no secret can be found in the arguments that are `bytes` from `start` to `end`, each of them ended by NUL, the last one perhaps not. */
export type CleanBytes = (bytes: Uint8Array, start: number, end: number) => boolean;

const EQUALS = 61;
const COLON = 58;
const AT = 64;
const DASH = 45;
const CLOSING_BRACKET = 93;

/** What a byte may be: inside of a word, the first of a token, another sign, the sign behind a name, the end of an argument, or what takes a closer look. */
const PLAIN = 0;
const FIRST = 1;
const PART = 2;
const SIGN = 3;
const END = 4;
const SUSPECT = 5;
const FIRSTS = new Set(TOKEN_STARTS.map((start) => start.charCodeAt(0)));
const KINDS = Uint8Array.from({ length: 256 }, (_, code) => kindOf(code));

function kindOf(code: number): number {
  if (code === 0) return END;
  // Words within an argument, what stands before a host, and what is not ASCII are for the rules.
  if (isSpace(code) || code === AT || code > 127) return SUSPECT;
  if (code === EQUALS || code === COLON) return SIGN;
  if (!isAlphanumeric(code)) return PART;
  return FIRSTS.has(code) ? FIRST : PLAIN;
}

/** What may stand between the words of a name. */
const SEPARATOR = 27;
const OTHER = 28;
/** Letters whatever their case, what parts words of a name, and everything else. */
const FOLDED = Uint8Array.from({ length: 256 }, (_, code) => foldOf(String.fromCharCode(code)));

function foldOf(character: string): number {
  if (/[A-Za-z]/.test(character)) return character.charCodeAt(0) & 31;
  if (character === '\0') return 0;
  return /[-_. ]/.test(character) ? SEPARATOR : OTHER;
}

/** Three characters as a number. */
function triple(a: number, b: number, c: number): number {
  return ((FOLDED[a] ?? OTHER) << 10) | ((FOLDED[b] ?? OTHER) << 5) | (FOLDED[c] ?? OTHER);
}

const TABLE_SIZE = 1 << 15;
const TOKENS = new Uint8Array(TABLE_SIZE);
for (const start of TOKEN_STARTS) TOKENS[triple(start.charCodeAt(0), start.charCodeAt(1), start.charCodeAt(2))] = 1;

/** The last three characters before which a name of a secret may end; 0 stands for none. */
function endsOf(names: Iterable<string>): Uint8Array {
  const table = new Uint8Array(TABLE_SIZE);
  const ends = Array.from(names, (name) => [3, 2, 1].map((back) => (name.length < back ? null : name.charCodeAt(name.length - back))));
  for (let place = 0; place < TABLE_SIZE; place++) {
    const folds = [place >> 10, (place >> 5) & 31, place & 31];
    // A separator at the end is no part of the name; before the last two letters it may part them from the rest.
    const mayEnd = (end: readonly (number | null)[]): boolean =>
      end.every(
        (code, i) => code === null || folds[i] === (FOLDED[code] ?? OTHER) || (i === 0 && (folds[i] === SEPARATOR || folds[i] === 0)),
      );
    if (folds[1] === SEPARATOR || folds[2] === SEPARATOR || ends.some(mayEnd)) table[place] = 1;
  }
  // A name of one letter may be all that stands there.
  if (ends.some(([, second]) => second === null)) table[0] = 1;
  return table;
}

function hashOf(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0;
}

/** Of the names of programs, read backwards: of two with one hash both are suspected. */
const PROGRAM_HASHES = new Set(
  Array.from(PROGRAM_RULES.keys(), (name) => Array.from(name, (each) => each.charCodeAt(0)).reduceRight(hashOf, 0)),
);

/** `names` are what a name of a secret may end in, in lower case. */
export function createCleanBytes(names: Iterable<string>): CleanBytes {
  const ends = endsOf(names);
  return (bytes, start, end) => {
    let word = start;
    let hasEquals = false;
    let isBoundary = true;
    for (let at = start; at < end; at++) {
      const code = bytes[at] ?? 0;
      const kind = KINDS[code] ?? SUSPECT;
      if (kind === PLAIN) {
        isBoundary = false;
        continue;
      }
      if (kind === FIRST) {
        if (isBoundary && TOKENS[triple(code, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0)] === 1) return false;
        isBoundary = false;
        continue;
      }
      isBoundary = true;
      if (kind === PART) continue;
      if (kind === SUSPECT || (kind === SIGN && mayBeNamed(ends, bytes, word, at))) return false;
      if (code === EQUALS) hasEquals = true;
      if (kind !== END) continue;
      if (mayBeWord(ends, bytes, word, at, hasEquals)) return false;
      word = at + 1;
      hasEquals = false;
    }
    return !mayBeWord(ends, bytes, word, end, hasEquals);
  };
}

/** Whether the last characters of the word before `end` may be the end of a name. */
function mayEndName(ends: Uint8Array, bytes: Uint8Array, word: number, end: number): boolean {
  const length = end - word;
  // One letter, which in an option has its dash before it.
  if (length < 2 || (length === 2 && bytes[word] === DASH)) return ends[0] === 1;
  return ends[triple(length < 3 ? 0 : (bytes[end - 3] ?? 0), bytes[end - 2] ?? 0, bytes[end - 1] ?? 0)] === 1;
}

/** Whether a sign may have a secret's name before it, which may be quoted or in brackets. */
function mayBeNamed(ends: Uint8Array, bytes: Uint8Array, word: number, sign: number): boolean {
  const before = sign > word ? (bytes[sign - 1] ?? 0) : 0;
  return isQuote(before) || before === CLOSING_BRACKET || before === BACKSLASH || mayEndName(ends, bytes, word, sign);
}

/** Whether a word may be an option that takes a secret, or a program that has options of its own. */
function mayBeWord(ends: Uint8Array, bytes: Uint8Array, word: number, end: number, hasEquals: boolean): boolean {
  if (end - word > 1 && bytes[word] === DASH) return !hasEquals && mayEndName(ends, bytes, word, end);
  const ending = end - word < 2 ? 0 : (((bytes[end - 2] ?? 0) & 31) << 5) | ((bytes[end - 1] ?? 0) & 31);
  if (PROGRAM_ENDINGS[ending] !== 1) return false;
  let hash = 0;
  for (let at = end; at > word && end - at <= LONGEST_PROGRAM_NAME && isNameCharacter(bytes[at - 1] ?? 0); at--) {
    hash = hashOf(hash, bytes[at - 1] ?? 0);
  }
  return PROGRAM_HASHES.has(hash);
}
