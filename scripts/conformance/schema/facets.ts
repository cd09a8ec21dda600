/**
 * Everything that is promised of one table, taken apart: each facet has a name and a check that says how the product
 * differs, or nothing. A check that throws (no such table, no row) differs too.
 */
import { messageOf } from '@sentineld/model/error';
import type { PromisedColumn, PromisedTable } from './promised-tables.ts';
import { checkForm } from './stored-form.ts';
import { columnNames, countOf, declaredType, inTransaction, insertLike, kindOf, valuesOf, type Attempt, type Subject } from './subject.ts';

export type Facet = { readonly item: string; readonly differs: string | undefined };

const SQL_TYPE_BY_JS_TYPE: Readonly<Record<string, readonly string[]>> = {
  number: ['INTEGER', 'REAL'],
  bigint: ['INTEGER'],
  string: ['TEXT'],
  object: ['BLOB'],
};
const CLOCK_TOLERANCE_S = 60;

/** `name` stands for the table in the items: a table that every database has is looked at in each. */
export function* checkTable(promised: PromisedTable, subject: Subject, name: string = promised.name): Generator<Facet> {
  const facet = (item: string, check: () => string | undefined): Facet => ({ item: `${name}${item}`, differs: attempt(check) });
  const { key } = promised;
  const isView = kindOf(subject) === 'view';
  yield facet(': table', () => (kindOf(subject) === 'table' ? undefined : `it is ${isView ? 'a view' : 'missing'}`));
  yield facet(': columns in order', () => checkOrder(subject, promised.columns));
  yield facet(': key', () => (isView ? checkUniqueRows(subject, key.column) : checkKey(subject, key.column)));
  if (key.growing) yield facet(': key never given twice', () => (isView ? 'a view gives no numbers' : checkGrowing(subject, key.column)));
  for (const column of promised.columns) {
    const { byDefault, oneOf, form } = column;
    const of = `.${column.name}`;
    yield facet(`${of}: type`, () => checkType(subject, column));
    if (column.required === true)
      yield facet(`${of}: not null`, () => (isView ? checkNoNull(subject, column.name) : checkNotNull(subject, key.column, column.name)));
    if (byDefault !== undefined)
      yield facet(`${of}: default`, () =>
        isView ? checkShownDefault(subject, column.name, byDefault) : checkDefault(subject, key.column, column.name, byDefault),
      );
    if (oneOf !== undefined) yield facet(`${of}: check`, () => checkOneOf(subject, key.column, column.name, oneOf));
    if (form !== undefined) yield facet(`${of}: form`, () => checkForm(valuesOf(subject, column.name), form));
  }
  for (const { column, table } of promised.references)
    yield facet(`.${column}: references ${table}`, () =>
      isView ? checkNoOrphan(subject, column, table) : checkReference(subject, key.column, column),
    );
  for (const index of promised.indexes) yield facet(`: index (${index.join(', ')})`, () => checkIndex(subject, index));
}

function attempt(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** The promised columns come first, as `SELECT *` gives them; further ones may follow. */
function checkOrder(subject: Subject, columns: readonly PromisedColumn[]): string | undefined {
  const names = columnNames(subject).slice(0, columns.length);
  return columns.every(({ name }, at) => names[at] === name) ? undefined : `it begins with ${names.join(', ')}`;
}

/** As it is declared; where a view computes the column, by what every row has. */
function checkType(subject: Subject, { name, type }: PromisedColumn): string | undefined {
  const declared = declaredType(subject, name);
  if (declared === undefined) return 'the column is missing';
  if (declared !== '') return declared === type ? undefined : `it is ${declared}, not ${type}`;
  const other = valuesOf(subject, name).find((value) => value !== null && SQL_TYPE_BY_JS_TYPE[typeof value]?.includes(type) !== true);
  return other === undefined ? undefined : `a row has ${String(other)}, not ${type}`;
}

function checkKey(subject: Subject, key: string): string | undefined {
  const [taken] = valuesOf(subject, key);
  const tried = inTransaction(subject, () => insertLike(subject, { key, values: { [key]: taken ?? null } }));
  return expectRefusal(tried, /^UNIQUE constraint failed/, 'a key was given twice');
}

function checkGrowing(subject: Subject, key: string): string | undefined {
  return inTransaction(subject, () => {
    const first = keyOf(insertLike(subject, { key }), key);
    subject.database.prepare(`DELETE FROM "${subject.table}" WHERE "${key}" = ?`).run(first);
    const second = keyOf(insertLike(subject, { key }), key);
    return second > first ? undefined : `the number ${first} was given again after its row was deleted`;
  });
}

function keyOf(tried: Attempt, key: string): number {
  if ('refused' in tried) throw new Error(tried.refused);
  return Number(tried.row[key]);
}

function checkNotNull(subject: Subject, key: string, column: string): string | undefined {
  const tried = inTransaction(subject, () => insertLike(subject, { key, values: { [column]: null } }));
  return expectRefusal(tried, /^NOT NULL constraint failed/, 'NULL is let in');
}

function checkDefault(subject: Subject, key: string, column: string, byDefault: string | number): string | undefined {
  const tried = inTransaction(subject, () => insertLike(subject, { key, without: [column] }));
  if ('refused' in tried) return `a row without it is refused: ${tried.refused}`;
  const value = tried.row[column];
  const isRight = byDefault === 'clock' ? Math.abs(Number(value) - Date.now() / 1000) < CLOCK_TOLERANCE_S : value === byDefault;
  return isRight ? undefined : `a row without it gets ${String(value)}, not ${byDefault}`;
}

function checkOneOf(subject: Subject, key: string, column: string, allowed: readonly string[]): string | undefined {
  const insert = (value: string): Attempt => inTransaction(subject, () => insertLike(subject, { key, values: { [column]: value } }));
  for (const value of allowed) {
    const tried = insert(value);
    if ('refused' in tried) return `'${value}' is refused: ${tried.refused}`;
  }
  for (const value of ['', 'other', ...allowed.flatMap((word) => [word.toUpperCase(), `${word} `])]) {
    const problem = expectRefusal(insert(value), /^CHECK constraint failed/, `'${value}' is let in`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkReference(subject: Subject, key: string, column: string): string | undefined {
  const [stored] = valuesOf(subject, column);
  const nobody = typeof stored === 'string' ? 'nobody' : -1;
  const tried = inTransaction(subject, () => insertLike(subject, { key, values: { [column]: nobody } }));
  return expectRefusal(tried, /^FOREIGN KEY constraint failed/, `${nobody} is let in, which refers to nothing`);
}

function expectRefusal(tried: Attempt, reason: RegExp, otherwise: string): string | undefined {
  if ('row' in tried) return otherwise;
  return reason.test(tried.refused) ? undefined : `it is refused for another reason: ${tried.refused}`;
}

function checkIndex({ database, table }: Subject, columns: readonly string[]): string | undefined {
  const indexes = database.prepare('SELECT name FROM pragma_index_list(?) WHERE partial = 0').all(table);
  const columnsOf = database.prepare('SELECT name FROM pragma_index_info(?) ORDER BY seqno');
  const isThere = indexes.some((index) => {
    const names = columnsOf.all(String(index['name'])).map((row) => row['name']);
    return columns.every((column, at) => names[at] === column);
  });
  return isThere ? undefined : 'no index begins with these columns';
}

/* What readers of a view can see of the same promises: nobody inserts through it, so its rows have to show them. */

function checkUniqueRows(subject: Subject, key: string): string | undefined {
  const values = valuesOf(subject, key);
  return new Set(values).size === values.length ? checkNoNull(subject, key) : `a value of ${key} stands in several rows`;
}

function checkNoNull(subject: Subject, column: string): string | undefined {
  return valuesOf(subject, column).includes(null) ? 'a row has NULL' : undefined;
}

/** A text that every row has unless its writer says otherwise, which ours do not; a number is never missing. */
function checkShownDefault(subject: Subject, column: string, byDefault: string | number): string | undefined {
  if (typeof byDefault === 'number') return checkNoNull(subject, column);
  const other = valuesOf(subject, column).find((value) => value !== byDefault);
  return other === undefined ? undefined : `a row has ${String(other)}, not ${byDefault}`;
}

function checkNoOrphan(subject: Subject, column: string, table: string): string | undefined {
  const orphans = countOf(subject, `"${column}" NOT IN (SELECT id FROM "${table}")`);
  return orphans === 0 ? undefined : `${orphans} rows refer to nothing`;
}
