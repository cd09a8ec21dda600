/**
 * What stands behind a field's name: `CommandLine|contains|all`. Modifiers are taken one by one; what cannot be
 * converted exactly, and what does not go together, is named.
 */
import type { Position } from './wildcard-text.ts';

export type TextTransform = 'windash' | 'wide' | 'utf16' | 'utf16be' | 'base64' | 'base64offset';

export type Modifiers = {
  readonly operator: 'text' | 're' | 'exists' | 'fieldref' | 'lt' | 'lte' | 'gt' | 'gte';
  readonly position: Position;
  /** True where every value has to be met, not one of them. */
  readonly all: boolean;
  readonly cased: boolean;
  /** In their order. */
  readonly transforms: readonly TextTransform[];
  /** Of a regular expression. */
  readonly flags: string;
};

export type ParsedModifiers = { readonly ok: true; readonly modifiers: Modifiers } | { readonly ok: false; readonly message: string };

const POSITIONS: Readonly<Record<string, Position>> = { contains: 'contains', startswith: 'startswith', endswith: 'endswith' };
const OPERATORS: Readonly<Record<string, Modifiers['operator']>> = {
  re: 're',
  exists: 'exists',
  fieldref: 'fieldref',
  lt: 'lt',
  lte: 'lte',
  gt: 'gt',
  gte: 'gte',
};
const TRANSFORMS: Readonly<Record<string, TextTransform>> = {
  windash: 'windash',
  wide: 'wide',
  utf16le: 'wide',
  utf16: 'utf16',
  utf16be: 'utf16be',
  base64: 'base64',
  base64offset: 'base64offset',
};
const FLAGS: Readonly<Record<string, string>> = { i: 'i', ignorecase: 'i', m: 'm', multiline: 'm', s: 's', dotall: 's' };
const REFUSED: Readonly<Record<string, string>> = {
  cidr: 'no column holds an address, and an address within a text cannot be compared with a network',
  expand: 'what its placeholders stand for is not in the rule',
  neq: 'whether it holds for a field that is not there is not said by the specification; "not" in the condition says it',
};

/** Reads the modifiers of one key, without the field. */
export function parseModifiers(words: readonly string[]): ParsedModifiers {
  let modifiers: Modifiers = { operator: 'text', position: 'whole', all: false, cased: false, transforms: [], flags: '' };
  for (const word of words) {
    const next = withModifier(modifiers, word);
    if (typeof next === 'string') return { ok: false, message: next };
    modifiers = next;
  }
  const conflict = conflictOf(modifiers);
  return conflict === null ? { ok: true, modifiers } : { ok: false, message: conflict };
}

/** A text where the modifier is not taken. */
function withModifier(before: Modifiers, word: string): Modifiers | string {
  const position = own(POSITIONS, word);
  if (position !== undefined)
    return before.position === 'whole' ? { ...before, position } : `"${before.position}" and "${word}" exclude each other`;
  const operator = own(OPERATORS, word);
  if (operator !== undefined)
    return before.operator === 'text' ? { ...before, operator } : `"${before.operator}" and "${word}" exclude each other`;
  const transform = own(TRANSFORMS, word);
  if (transform !== undefined) return { ...before, transforms: [...before.transforms, transform] };
  const flag = own(FLAGS, word);
  if (flag !== undefined) return before.operator === 're' ? { ...before, flags: before.flags + flag } : `"${word}" belongs behind "re"`;
  if (word === 'all') return { ...before, all: true };
  if (word === 'cased') return { ...before, cased: true };
  const reason = own(REFUSED, word);
  return reason === undefined ? `there is no modifier "${word}"` : `the modifier "${word}" cannot be converted: ${reason}`;
}

const ENCODINGS: readonly TextTransform[] = ['wide', 'utf16', 'utf16be'];

function conflictOf({ operator, position, cased, transforms }: Modifiers): string | null {
  const encoding = transforms.find((transform) => ENCODINGS.includes(transform));
  const isBase64 = (transform: TextTransform | undefined): boolean => transform === 'base64' || transform === 'base64offset';
  if (encoding !== undefined && !isBase64(transforms[transforms.indexOf(encoding) + 1]))
    return `"${encoding}" gives bytes that no field holds; it belongs before "base64" or "base64offset"`;
  if (transforms.slice(1).includes('windash')) return '"windash" belongs before the modifiers that encode, once';
  if (operator !== 'text' && transforms.length > 0) return `"${transforms[0] ?? ''}" and "${operator}" exclude each other`;
  if (operator !== 'text' && operator !== 'fieldref' && position !== 'whole') return `"${position}" and "${operator}" exclude each other`;
  if (operator !== 'text' && operator !== 'fieldref' && cased) return `"cased" and "${operator}" exclude each other`;
  return null;
}

function own<Value>(table: Readonly<Record<string, Value>>, word: string): Value | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
