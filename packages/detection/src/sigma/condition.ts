/**
 * The condition of a Sigma rule: names of detections, `1 of x*`, `all of them`, `not`, `and`, `or` and brackets, in
 * falling order of how tightly they bind.
 */

export type Condition =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'some'; readonly quantifier: 'all' | 'any'; readonly names: readonly string[] }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition };

export type ParsedCondition = { readonly ok: true; readonly condition: Condition } | { readonly ok: false; readonly message: string };

const MAX_WORDS = 500;
const MAX_DEPTH = 50;
const NAME = /^[\p{L}\p{N}_.-]+$/u;
const NAME_PATTERN = /^[\p{L}\p{N}_.*-]+$/u;

/** Thrown and caught within this file: what is wrong, as a sentence without its end. */
class ConditionFault extends Error {}

/** Reads a condition over detections of these names. */
export function parseCondition(text: string, names: readonly string[]): ParsedCondition {
  const words = text.match(/[()|]|[^\s()|]+/g) ?? [];
  if (words.length > MAX_WORDS) return { ok: false, message: `The condition has more than ${MAX_WORDS} words` };
  const reader: Reader = { words, at: 0, depth: 0, names };
  try {
    const condition = readOr(reader);
    const left = words[reader.at];
    if (left !== undefined) throw new ConditionFault(leftOver(left));
    return { ok: true, condition };
  } catch (thrown) {
    if (!(thrown instanceof ConditionFault)) throw thrown;
    return { ok: false, message: thrown.message };
  }
}

type Reader = { readonly words: readonly string[]; readonly names: readonly string[]; at: number; depth: number };

function leftOver(word: string): string {
  return word === '|'
    ? 'The condition counts or correlates events (what stands behind "|"), which looks at more than one event'
    : `The condition goes on with "${word}" where "and", "or" or its end belongs`;
}

function readOr(reader: Reader): Condition {
  return readChain(reader, 'or', readAnd);
}

function readAnd(reader: Reader): Condition {
  return readChain(reader, 'and', readNot);
}

function readChain(reader: Reader, kind: 'and' | 'or', readTerm: (reader: Reader) => Condition): Condition {
  const first = readTerm(reader);
  const of = [first];
  while (isWord(reader, kind)) {
    reader.at += 1;
    of.push(readTerm(reader));
  }
  return of.length === 1 ? first : { kind, of };
}

function readNot(reader: Reader): Condition {
  if (reader.depth >= MAX_DEPTH) throw new ConditionFault(`The condition is nested more than ${MAX_DEPTH} levels deep`);
  reader.depth += 1;
  try {
    if (!isWord(reader, 'not')) return readPrimary(reader);
    reader.at += 1;
    return { kind: 'not', of: readNot(reader) };
  } finally {
    reader.depth -= 1;
  }
}

function readPrimary(reader: Reader): Condition {
  const word = next(reader);
  if (word === '(') {
    const inner = readOr(reader);
    const close = next(reader);
    if (close !== ')') throw new ConditionFault(close === '|' ? leftOver(close) : `The condition has "${close}" where ")" belongs`);
    return inner;
  }
  if (isWord(reader, 'of') && !reader.names.includes(word)) return readQuantified(reader, word);
  if (reader.names.includes(word)) return { kind: 'name', name: word };
  if (word === '|') throw new ConditionFault(leftOver(word));
  throw new ConditionFault(
    NAME.test(word) ? `The condition names "${word}", and there is no such detection` : `The condition has "${word}"`,
  );
}

function readQuantified(reader: Reader, word: string): Condition {
  reader.at += 1;
  const pattern = next(reader);
  const quantifier = quantifierOf(word);
  if (quantifier === null) throw new ConditionFault(`The condition has "${word} of", only "1 of", "any of" and "all of" are known`);
  if (!NAME_PATTERN.test(pattern)) throw new ConditionFault(`The condition has "${pattern}" where the name of detections belongs`);
  const names = namesOf(pattern, reader.names);
  if (names.length === 0) throw new ConditionFault(`The condition asks for "${word} of ${pattern}", and no detection is called so`);
  return { kind: 'some', quantifier, names };
}

function quantifierOf(word: string): 'all' | 'any' | null {
  if (/^all$/i.test(word)) return 'all';
  return /^(1|any)$/i.test(word) ? 'any' : null;
}

/** Detections whose name begins with an underscore are left out, unless the pattern begins so too. */
function namesOf(pattern: string, names: readonly string[]): readonly string[] {
  const parts = pattern.toLowerCase() === 'them' ? ['', ''] : pattern.split('*');
  return names.filter((name) => (!name.startsWith('_') || pattern.startsWith('_')) && isOfParts(name, parts));
}

/** Whether the name is the parts with anything between them; in time that grows with the name alone. */
function isOfParts(name: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let middle = name.slice(first.length, name.length - last.length);
  for (const part of rest) {
    const found = middle.indexOf(part);
    if (found < 0) return false;
    middle = middle.slice(found + part.length);
  }
  return true;
}

function isWord({ words, at }: Reader, word: string): boolean {
  return words[at]?.toLowerCase() === word;
}

function next(reader: Reader): string {
  const word = reader.words[reader.at];
  if (word === undefined) throw new ConditionFault('The condition ends too early');
  reader.at += 1;
  return word;
}
