/**
 * Secrets that stand in a word of their own, or in a short option: `--password X`, `mysql -pX`. The words are the arguments
 * of a process, and within an argument what spaces part; a quoted word is looked into in turn.
 */
import { noteOfKind } from './named-values.ts';
import { LONGEST_PROGRAM_NAME, PROGRAM_ENDINGS, PROGRAM_RULES, type ProgramRule, type ValueForm } from './programs.ts';
import { NAME_LIMIT, takesValue, type SecretKind, type SecretNames } from './secret-names.ts';
import { BACKSLASH, endOf, isNameCharacter, isQuote, isSpace, mayEnd, note, type Found } from './spans.ts';

/** What the words so far say of the next one. */
export type Walk = {
  rule: ProgramRule | null;
  pending: ValueForm | SecretKind | null;
  /** The word before hands a line to a shell: `-c`. */
  isScriptNext: boolean;
};

/** How deep words are looked into: `sh -c "ssh host 'sh -c …'"`. Below, quotes are not minded any more. */
const DEPTH = 4;
const SCRIPT_OPTION = /^(?:-[a-z]{0,4}c|\/[cCkK]|-[Cc]ommand|-[Ee]ncoded[Cc]ommand)$/;
const LONGEST_SCRIPT_OPTION = 15;
const DASH = 45;

export function newWalk(): Walk {
  return { rule: null, pending: null, isScriptNext: false };
}

/** Takes one word, which is `found.text` from `start` to `end`, and notes what of it is secret. */
export function takeWord(walk: Walk, found: Found, names: SecretNames, start: number, end: number): void {
  const { text } = found;
  const word = start === 0 && end === text.length ? text : text.slice(start, end);
  const isOption = word.charCodeAt(0) === DASH && word.length > 1;
  walk.isScriptNext = (isOption || word.charCodeAt(0) === 47) && word.length <= LONGEST_SCRIPT_OPTION && SCRIPT_OPTION.test(word);
  const { pending } = walk;
  if (pending !== null && word !== '--') {
    walk.pending = null;
    // Another option, not the value of the one before.
    if (!isOption) {
      noteValueWord(found, pending, start, end);
      return;
    }
  }
  if (walk.rule !== null && followsRule(walk, walk.rule, found, word, start)) return;
  if (isOption) takeOption(walk, names, word);
  else meetProgram(walk, word);
}

/** Whether the rule of the program that runs says something of the word. */
function followsRule(walk: Walk, rule: ProgramRule, found: Found, word: string, start: number): boolean {
  const next = entryOf(rule.next, word) ?? bundledForm(rule, word);
  if (next !== null) {
    expectValue(walk, rule, next);
    return true;
  }
  for (const [option, form] of Object.entries(rule.glued ?? {})) {
    if (!word.startsWith(option) || word.length === option.length) continue;
    noteValueWord(found, form, start + option.length, start + word.length);
    if (rule.once === true) walk.rule = null;
    return true;
  }
  const then = entryOf(rule.then, word);
  if (then !== null) walk.rule = then;
  else if (rule.after === undefined || (rule.after === 'share' && !word.startsWith('\\\\'))) return false;
  else expectValue(walk, { once: true }, 'windows');
  return true;
}

function expectValue(walk: Walk, rule: ProgramRule, form: ValueForm): void {
  walk.pending = form;
  if (rule.once === true) walk.rule = null;
}

function bundledForm(rule: ProgramRule, word: string): ValueForm | null {
  return rule.bundled !== undefined && /^-[A-Za-z]{1,12}$/.test(word) ? entryOf(rule.bundled, word.slice(-1)) : null;
}

function entryOf<Value>(table: Readonly<Record<string, Value>> | undefined, name: string): Value | null {
  return table !== undefined && Object.hasOwn(table, name) ? (table[name] ?? null) : null;
}

/** An option of a secret's name, without a value of its own, says that the next word is one. */
function takeOption(walk: Walk, names: SecretNames, word: string): void {
  const start = word.charCodeAt(1) === DASH ? 2 : 1;
  if (word.length > NAME_LIMIT || word.includes('=')) return;
  const kind = names.kindOf(word, start, word.length);
  if (kind === null || kind === 'signature') return;
  const name = word.slice(start);
  if (takesValue(name)) walk.pending = name === 'pass' ? 'pass' : kind;
}

/** Whether a word names a program of which more is known; it need not be the first one (`sudo -u root mysql -p…`). */
function meetProgram(walk: Walk, word: string): void {
  if (!mayEnd(PROGRAM_ENDINGS, word, word.length)) return;
  let start = word.length;
  while (start > 0 && word.length - start <= LONGEST_PROGRAM_NAME && isNameCharacter(word.charCodeAt(start - 1))) start--;
  const rule = PROGRAM_RULES.get(word.slice(start));
  if (rule !== undefined) walk.rule = rule;
}

function noteValueWord(found: Found, form: ValueForm | SecretKind, start: number, end: number): void {
  const { text } = found;
  if (form === 'all') return note(found, start, end);
  if (form === 'windows') return text[start] === '/' || text[start] === '*' ? undefined : note(found, start, end);
  if (form === 'pair') return text.slice(start, end).includes('=') ? note(found, start, end) : undefined;
  if (form === 'after-colon' || form === 'after-percent') {
    const word = text.slice(start, end);
    const sign = word.indexOf(form === 'after-colon' ? ':' : '%');
    return sign < 0 || word.startsWith('://', sign) ? undefined : note(found, start + sign + 1, end);
  }
  if (form === 'pass') return end - start === 1 && /\d/.test(text[start] ?? '') ? undefined : note(found, start, end);
  return noteOfKind(found, form, start, end);
}

/** Takes the words within an argument, or within a quoted word of it, as a line of their own. */
export function takeInnerWords(found: Found, names: SecretNames, start: number, end: number, depth: number = 0): void {
  const walk = newWalk();
  const unmatched = new Set<number>();
  let at = start;
  while (at < end) {
    const first = endOf(found, at, (code) => !isSpace(code));
    if (first >= end) return;
    const last = wordEnd(found, first, end, depth, unmatched);
    const isQuoted = last - first >= 2 && isQuote(found.text.charCodeAt(first)) && found.text[first] === found.text[last - 1];
    const [from, to] = isQuoted ? [first + 1, last - 1] : [first, last];
    const before = found.spans.length;
    takeWord(walk, found, names, from, to);
    if (depth < DEPTH && found.spans.length === before && hasSpace(found, from, to)) takeInnerWords(found, names, from, to, depth + 1);
    at = last;
  }
}

function hasSpace(found: Found, start: number, end: number): boolean {
  return endOf(found, start, isSpace) < end;
}

/** The end of a word: a space that no quote holds. A quote that is never closed is an ordinary character. */
function wordEnd(found: Found, start: number, end: number, depth: number, unmatched: Set<number>): number {
  const { text } = found;
  let at = start;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    found.steps++;
    if (isSpace(code)) break;
    if (!isQuote(code) || depth >= DEPTH || unmatched.has(code) || text.charCodeAt(at - 1) === BACKSLASH) continue;
    const closing = text.indexOf(text[at] ?? '', at + 1);
    found.steps += (closing < 0 ? text.length : closing) - at;
    if (closing < 0 || closing >= end) unmatched.add(code);
    else at = closing;
  }
  return Math.min(at, end);
}
