/**
 * One line of a detection, a field with its modifiers and values, as a condition over a row.
 */
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import { DEFAULT_BOUNDS } from '../sql/policy.ts';
import { allOf, anyOf, comparison, type Expression } from './expression.ts';
import { parseModifiers, type Modifiers } from './modifiers.ts';
import { translateExpression } from './regular-expression.ts';
import type { FieldColumn, SigmaTarget } from './target.ts';
import { compareText, literal, UNWRITABLE } from './text-comparison.ts';
import { transformText } from './transforms.ts';
import { parseWildcardText } from './wildcard-text.ts';

export type FieldFault = {
  /** Which of the values, from 0; null where the line as a whole is meant. */
  readonly at: number | null;
  /** What is wrong, without the field and without a full stop. */
  readonly message: string;
  readonly hint: string;
};

export type CompiledField =
  | { readonly ok: true; readonly condition: Expression }
  | { readonly ok: false; readonly faults: readonly FieldFault[] };

type OneValue =
  | { readonly ok: true; readonly condition: Expression }
  | { readonly ok: false; readonly message: string; readonly hint: string };
type Line = { readonly column: FieldColumn; readonly modifiers: Modifiers; readonly target: SigmaTarget };

/** `key` is as in the file: `CommandLine|contains|all`. */
export function compileField(key: string, given: unknown, target: SigmaTarget): CompiledField {
  const [field = '', ...words] = key.split('|');
  const fault = (message: string, hint: string): CompiledField => ({ ok: false, faults: [{ at: null, message, hint }] });
  if (field === '') return fault('a keyword without a field cannot be converted', 'Name the field before the modifiers.');
  const column = columnOf(field, target);
  if (column === null) return fault(...unknownField(field, target));
  const parsed = parseModifiers(words);
  if (!parsed.ok) return fault(parsed.message, 'docs/rules.md has the modifiers that are converted.');
  const isList = Array.isArray(given);
  const values: readonly unknown[] = isList ? given : [given];
  if (values.length === 0) return fault('the list of values is empty', 'Give at least one value.');
  const line: Line = { column, modifiers: parsed.modifiers, target };
  const compiled = values.map((value) => compileValue(line, value));
  const faults = compiled.flatMap((one, at) => (one.ok ? [] : [{ at: isList ? at : null, message: one.message, hint: one.hint }]));
  if (faults.length > 0) return { ok: false, faults };
  const conditions = compiled.flatMap((one) => (one.ok ? [one.condition] : []));
  return { ok: true, condition: parsed.modifiers.all ? allOf(conditions) : anyOf(conditions) };
}

function columnOf(field: string, { fields }: SigmaTarget): FieldColumn | null {
  return Object.hasOwn(fields, field) ? (fields[field] ?? null) : null;
}

function unknownField(field: string, { fields, unanswered }: SigmaTarget): readonly [message: string, hint: string] {
  const known = `The fields that are answered are ${Object.keys(fields).join(', ')}.`;
  const reason = Object.hasOwn(unanswered, field) ? unanswered[field] : undefined;
  if (reason !== undefined) return [`the field cannot be answered: ${reason}`, known];
  const nearest = nearestWord(field, Object.keys(fields));
  return ['no column answers this field', nearest === null ? known : `Did you mean "${nearest}"? ${known}`];
}

function compileValue(line: Line, value: unknown): OneValue {
  const { column, modifiers } = line;
  if (modifiers.operator === 'exists') return testExists(column, value);
  if (value === null) return testNull(line);
  if (modifiers.operator === 'fieldref') return testFieldReference(line, value);
  switch (column.kind) {
    case 'text':
      return testTextColumn(column.column, modifiers, value);
    case 'integer':
      return testInteger(column.column, modifiers, value);
    case 'user':
      return testUser(column.column, modifiers, value);
  }
}

function taken(condition: Expression): OneValue {
  return { ok: true, condition };
}

function refused(message: string, hint: string): OneValue {
  return { ok: false, message, hint };
}

function testExists({ column }: FieldColumn, value: unknown): OneValue {
  if (typeof value !== 'boolean') return refused('"exists" takes true or false', 'Write for instance "Image|exists: true".');
  return taken(comparison(`${column} IS ${value ? 'NOT NULL' : 'NULL'}`));
}

function testNull({ column, modifiers }: Line): OneValue {
  if (modifiers.operator === 'text' && modifiers.position === 'whole' && modifiers.transforms.length === 0)
    return taken(comparison(`${column.column} IS NULL`));
  return refused('null is no value for these modifiers', 'Leave the modifiers out: null means that the field is not there.');
}

/** Two columns, with the case of ASCII letters taken for the same unless it is asked for. */
function testFieldReference({ column, modifiers, target }: Line, value: unknown): OneValue {
  const other = typeof value === 'string' ? columnOf(value, target) : null;
  if (typeof value !== 'string')
    return refused('"fieldref" takes the name of a field', 'Write for instance "Image|fieldref: ParentImage".');
  if (other === null) {
    const [message, hint] = unknownField(value, target);
    return refused(`"fieldref" names ${value}: ${message}`, hint);
  }
  if (column.kind !== other.kind) return refused('"fieldref" compares a text with a number', 'Compare two fields of one kind.');
  const small = (name: string): string => (modifiers.cased || column.kind !== 'text' ? name : `lower(${name})`);
  const [left, right] = [small(column.column), small(other.column)];
  switch (modifiers.position) {
    case 'whole':
      return taken(comparison(`${left} = ${right}`));
    case 'contains':
      return taken(comparison(`instr(${left}, ${right}) > 0`));
    case 'startswith':
      return taken(comparison(`substr(${left}, 1, length(${right})) = ${right}`));
    case 'endswith':
      return taken(comparison(`(length(${right}) = 0 OR substr(${left}, -length(${right})) = ${right})`));
  }
}

const MEANT_AS_TEXT = 'Write it between single quotes.';

function testTextColumn(column: string, modifiers: Modifiers, value: unknown): OneValue {
  const text = textOfValue(value);
  if (text === null) return refused('the value is neither a text nor a whole number', MEANT_AS_TEXT);
  if (modifiers.operator === 're') return testExpression(column, text, modifiers.flags);
  if (modifiers.operator !== 'text')
    return refused(`"${modifiers.operator}" compares numbers, and this field is a text`, 'Use it for ProcessId or ParentProcessId.');
  const transformed = transformText(parseWildcardText(text), modifiers.transforms);
  if (!transformed.ok) return refused(transformed.message, 'Write the alternatives out.');
  const { position, cased } = modifiers;
  const tests: Expression[] = [];
  for (const one of transformed.texts) {
    const tested = compareText({ column, text: one, position, cased });
    if (!tested.ok) return refused(tested.message, 'Write several values, joined by "all".');
    tests.push(tested.comparison);
  }
  return taken(anyOf(tests));
}

/** A number means its digits. */
function textOfValue(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return Number.isSafeInteger(value) ? String(value) : null;
}

function testExpression(column: string, source: string, flags: string): OneValue {
  if (source.length > DEFAULT_BOUNDS.maxPatternLength)
    return refused(`the regular expression is longer than ${DEFAULT_BOUNDS.maxPatternLength} characters`, 'Split it into several.');
  const translated = translateExpression(source, flags);
  if (!translated.ok) return refused(translated.message, 'Write the expression as JavaScript and PCRE both read it.');
  const pattern = translated.pattern.replace(new RegExp(UNWRITABLE, 'gu'), (characters) =>
    characters
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
  return taken(comparison(`${column} REGEXP ${literal(pattern)}`));
}

const COMPARISONS: Readonly<Record<string, string>> = { text: '=', lt: '<', lte: '<=', gt: '>', gte: '>=' };

function testInteger(column: string, modifiers: Modifiers, value: unknown): OneValue {
  const operator = COMPARISONS[modifiers.operator];
  if (operator === undefined || modifiers.position !== 'whole' || modifiers.transforms.length > 0)
    return refused('this field is a number, and the modifier is for texts', 'Compare it with a number, or with lt, lte, gt and gte.');
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number))
    return refused('this field is a whole number, the value is none', 'Give a whole number.');
  return taken(comparison(`${column} ${operator} ${number}`));
}

/** The number of root is 0 on every host; what other names stand for only the host knows. */
function testUser(column: string, modifiers: Modifiers, value: unknown): OneValue {
  const isPlain = modifiers.operator === 'text' && modifiers.position === 'whole' && modifiers.transforms.length === 0;
  if (isPlain && value === 'root') return taken(comparison(`${column} = 0`));
  return refused(
    'an event has the number of its user, so that only "root" as a whole can be answered',
    'Leave the field out, or compare it with root.',
  );
}
