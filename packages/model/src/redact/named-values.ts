/**
 * Secrets that a name stands before, anywhere in a text: `NAME=value`, `Name: value`, `"name": "value"`, `?name=value&`.
 * The text is looked at once, from one `=` or `:` to the next; where a value ends follows from what stands before its name.
 */
import { isFileName, NAME_LIMIT, type SecretKind, type SecretNames } from './secret-names.ts';
import { BACKSLASH, endOf, isNameCharacter, isQuote, isSpace, note, REDACTED, type Found } from './spans.ts';

const SPACE = 32;
const NEWLINE = 10;
const EQUALS = 61;
const COLON = 58;
const SLASH = 47;
const DASH = 45;

/** A name and its sign: where it begins, what stands before it (0 at the start of the text), where its value begins. */
type Named = {
  readonly start: number;
  readonly before: number;
  readonly isOption: boolean;
  readonly sign: number;
  readonly kind: SecretKind;
  readonly from: number;
};

/** Notes every secret that has a name. `isScript`: the text is a line of shell, where an unquoted value is one word. */
export function findNamedValues(found: Found, names: SecretNames, isScript: boolean): void {
  const { text } = found;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    found.steps++;
    const named = code === EQUALS || code === COLON ? namedAt(found, at, names) : null;
    at = named === null ? at + 1 : Math.max(at + 1, noteValue(found, named, isScript));
  }
}

/** The name that ends at a sign, where its value is a secret. */
function namedAt(found: Found, sign: number, names: SecretNames): Named | null {
  const { text } = found;
  const end = nameEnd(text, sign);
  if (!names.mayEndAt(text, end)) return null;
  let start = end;
  while (start > 0 && end - start < NAME_LIMIT && isNameCharacter(text.charCodeAt(start - 1))) start--;
  found.steps += end - start + 1;
  let first = start;
  while (first < end && text.charCodeAt(first) === DASH) first++;
  if (first === end) return null;
  const kind = names.kindOf(text, first, end);
  if (kind === null) return null;
  const before = start === 0 ? 0 : text.charCodeAt(start - 1);
  const isParameter = before === 63 || before === 38;
  if (kind === 'signature' && !isParameter) return null;
  const isColon = text.charCodeAt(sign) === COLON;
  if (isColon && !mayStandBeforeColon(text, start, before, sign)) return null;
  return { start, before, isOption: first > start, sign, kind, from: valueStart(found, sign, end) };
}

/** Past what may stand between a name and its sign: a quote, a bracket, a space. */
function nameEnd(text: string, sign: number): number {
  let end = sign;
  if (end > 0 && text.charCodeAt(end - 1) === SPACE) end--;
  if (end > 0 && (isQuote(text.charCodeAt(end - 1)) || text[end - 1] === ']')) end--;
  if (end > 0 && text.charCodeAt(end - 1) === BACKSLASH) end--;
  return end;
}

const BEFORE_NAME_AND_COLON = new Set(Array.from('"\'`{,;=([&?<$\\', (character) => character.charCodeAt(0)));

/** `a/token:x`, `a@token:x` and `token://` are no values; `/password:x` is an option of Windows. */
function mayStandBeforeColon(text: string, start: number, before: number, sign: number): boolean {
  if (text.startsWith('//', sign + 1) || text[sign + 1] === ':') return false;
  if (before === SLASH) return start === 1 || isSpace(text.charCodeAt(start - 2));
  if (text[sign + 1] === '/' && start === 0) return false;
  return start === 0 || isSpace(before) || BEFORE_NAME_AND_COLON.has(before);
}

function valueStart(found: Found, sign: number, end: number): number {
  const { text } = found;
  let from = sign + 1;
  // `=>` and `==` are signs, too.
  if (text[from] === '>' || (text[from] === '=' && text.charCodeAt(sign) === EQUALS && end < sign)) from++;
  const skipsSpace = text.charCodeAt(sign) === COLON || from > sign + 1 || text.charCodeAt(sign - 1) === SPACE;
  return skipsSpace ? endOf(found, from, (code) => code !== SPACE && code !== 9) : from;
}

/** Notes the value, and returns where to go on. */
function noteValue(found: Found, named: Named, isScript: boolean): number {
  const { text } = found;
  const quoted = quotedValue(found, named.from);
  const start = quoted?.start ?? named.from;
  const end = quoted?.end ?? bareEnd(found, named, isScript);
  noteOfKind(found, named.kind, start, end);
  return Math.min(quoted === null ? end : end + 1, text.length);
}

const SCHEME = /(?:bearer|basic|digest|token|negotiate|ntlm|apikey|splunk|genie-?key|aws4-hmac-sha256)[ \t]+/iy;
const SOURCE = /(?:env|file|fd):/y;

/** Notes what is secret of a value of this kind: not the scheme of a header, not the name of a file. */
export function noteOfKind(found: Found, kind: SecretKind, start: number, end: number): void {
  const { text } = found;
  if (kind === 'header') {
    SCHEME.lastIndex = start;
    const scheme = SCHEME.exec(text)?.[0].length ?? 0;
    found.steps += scheme;
    note(found, Math.min(start + scheme, end), end);
  } else if (kind === 'source') {
    SOURCE.lastIndex = start;
    if (SOURCE.test(text) || text.slice(start, Math.min(end, start + 6)) === 'stdin') return;
    note(found, text.startsWith('pass:', start) ? start + 5 : start, end);
  } else if (kind !== 'key' || !isFileName(text.slice(start, end))) {
    note(found, start, end);
  }
}

/** The inside of a quoted value; the quote may have a backslash before it, as in JSON inside of a quoted word. */
function quotedValue(found: Found, from: number): { readonly start: number; readonly end: number } | null {
  const { text } = found;
  const isEscaped = text.charCodeAt(from) === BACKSLASH;
  const quote = text.charCodeAt(isEscaped ? from + 1 : from);
  if (!isQuote(quote)) return null;
  const start = isEscaped ? from + 2 : from + 1;
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) break;
    if (code !== BACKSLASH) continue;
    if (isEscaped && text.charCodeAt(at + 1) === quote) break;
    at++;
  }
  found.steps += at - start + 1;
  return { start, end: Math.min(at, text.length) };
}

/** Where a value without quotes ends. One that was taken out before is whole, whatever is in it. */
function bareEnd(found: Found, named: Named, isScript: boolean): number {
  const { text } = found;
  const { before, kind, sign } = named;
  const from = text.startsWith(REDACTED, named.from) ? named.from + REDACTED.length : named.from;
  if (isQuote(before)) return pairEnd(found, from, before);
  if (kind === 'header' || text.charCodeAt(sign) === COLON) return lineEnd(found, named, from, isScript);
  if (isScript) return endOf(found, from, isShellEnd);
  if (named.start === 0 && named.isOption) return text.length;
  // ? and &, then the start of the text, a sign or a colon, a semicolon, a comma
  if (before === 63 || before === 38) return endOf(found, from, (code) => code === 38 || code === 35 || isSpace(code) || isQuote(code));
  if (before === 0 || before === EQUALS || before === COLON) return pairEnd(found, from, -1);
  if (isAfterSemicolon(text, named.start)) return endOf(found, from, (code) => code === 59 || code === NEWLINE);
  if (before === 44) return endOf(found, from, (code) => code === 44 || isCloser(code));
  return endOf(found, from, before === 123 || before === 40 || before === 91 ? isCloser : isSpace);
}

function isShellEnd(code: number): boolean {
  // & ) ; < > ` |
  return isSpace(code) || code === 38 || code === 41 || code === 59 || code === 60 || code === 62 || code === 96 || code === 124;
}

function isCloser(code: number): boolean {
  return isSpace(code) || isQuote(code) || code === 125 || code === 41 || code === 93 || code === 44;
}

function isAfterSemicolon(text: string, start: number): boolean {
  return text[start - 1] === ';' || (text[start - 1] === ' ' && text[start - 2] === ';');
}

/** A header goes on to the end of its line, or to the quote it stands in; anything else inside of a text is a word. */
function lineEnd(found: Found, named: Named, from: number, isScript: boolean): number {
  const { text } = found;
  if (named.kind === 'header' && isScript) return endOf(found, from, (code) => code === NEWLINE || isQuote(code));
  const isWhole = named.start === 0 || named.before === EQUALS || named.before === SLASH;
  if (named.kind === 'header' || (isWhole && !isScript)) return endOf(found, from, (code) => code === NEWLINE);
  const end = endOf(found, from, isCloser);
  return text[end - 1] === ';' ? end - 1 : end;
}

/**
 * To the end of the text (or to `quote`), unless another `name=` follows after a space, a semicolon or an ampersand, as in
 * connection strings. A semicolon that ends the text ends the value.
 */
function pairEnd(found: Found, from: number, quote: number): number {
  const { text } = found;
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    found.steps++;
    if (code === quote || code === NEWLINE) return at;
    if (code !== 59 && code !== 38 && !isSpace(code)) {
      at++;
      continue;
    }
    const word = endOf(found, at, (code) => code !== 59 && code !== 38 && !isSpace(code));
    const sign = endOf(found, word, (code) => !isNameCharacter(code));
    if (sign - word >= 2 && text.charCodeAt(sign) === EQUALS && !/^[\d-]/.test(text.slice(word, word + 1))) return at;
    if (word === text.length || text.charCodeAt(word) === quote) return code === 59 ? at : word;
    at = Math.max(sign, word + 1);
  }
  return text.length;
}
