/**
 * Whether stored values have the form that was promised: the unit of a time, JSON of a kind.
 */
import type { SQLOutputValue } from 'node:sqlite';
import type { PromisedColumn } from './promised-tables.ts';

type Form = NonNullable<PromisedColumn['form']>;

const DAY_MS = 86_400_000;
const MS_PER_UNIT = { ms: 1, s: 1_000 } as const;

/** How a value differs; there has to be one that is not NULL. The rows were written today. */
export function checkForm(values: readonly SQLOutputValue[], form: Form): string | undefined {
  const given = values.filter((value) => value !== null);
  if (given.length === 0) return 'no row has a value to look at';
  const other = given.find((value) => !hasForm(value, form));
  return other === undefined ? undefined : `a row has ${String(other).slice(0, 80)}, not ${form}`;
}

function hasForm(value: SQLOutputValue, form: Form): boolean {
  if (form === 'ms' || form === 's') return Math.abs(Number(value) * MS_PER_UNIT[form] - Date.now()) < DAY_MS;
  const parsed = parse(String(value));
  if (form === 'JSON') return parsed !== undefined;
  return Array.isArray(parsed) && (form === 'JSON array' || parsed.every((member) => typeof member === 'number'));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
