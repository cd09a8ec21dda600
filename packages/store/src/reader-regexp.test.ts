import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReader, type Reader } from './reader.ts';
import { compileExpression } from './regular-expression.ts';

describe('REGEXP', () => {
  let home: string;
  let writer: DatabaseSync;
  let reader: Reader;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'sentineld-regexp-'));
    writer = new DatabaseSync(join(home, 'a.db'));
    writer.exec('PRAGMA journal_mode = WAL; CREATE TABLE t(v)');
    reader = openReader({
      databases: [{ schema: 'main', path: join(home, 'a.db') }],
      schema: { tables: [{ name: 't', description: '', columns: [{ name: 'v', type: 'BLOB', description: '' }] }], hiddenTables: [] },
      functions: new Set(['regexp', 'char', 'like', 'typeof']),
    });
  });
  afterAll(() => {
    reader.close();
    writer.close();
    rmSync(home, { recursive: true });
  });

  const valueOf = (expression: string, parameters: readonly (string | number | null)[] = []): unknown =>
    reader.prepare(`SELECT ${expression} AS v`).rows(parameters, { maxRows: 1, maxBytes: 10_000 }).rows[0]?.['v'];

  it.each([
    ["'nc -e /bin/sh' REGEXP '^nc\\s+-[el]'", 1],
    ["'nc' REGEXP 'NC'", 0],
    ["'nc' REGEXP '(?i:NC)'", 1],
    ["'nc' NOT REGEXP '^n'", 0],
    ["NULL REGEXP 'a'", null],
    ["'a' REGEXP NULL", null],
    ["'' REGEXP ''", 1],
    ["'größe 漢' REGEXP 'ö.e .$'", 1],
    ["'a' || char(0) || 'b' REGEXP 'a' || char(0) || 'b$'", 1],
    ["'a' || char(0) || 'b' REGEXP '^a$'", 0],
    ["'a' || char(10) || 'b' REGEXP '^b'", 0],
    ["123 REGEXP '^12'", 1],
    ["9223372036854775807 REGEXP '807$'", 1],
    ["1.0 REGEXP '^1\\.0$'", 1],
    ["1e100 REGEXP '^1\\.0e\\+100$'", 1],
    ["x'6162' REGEXP '^ab$'", 1],
    ["typeof('a' REGEXP 'a')", 'integer'],
  ])('%s is %j', (expression, expected) => expect(valueOf(expression)).toBe(expected));

  it('compares numbers as the texts that LIKE compares', () => {
    const numbers = fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.constantFrom(0.1, 1e15, 1e16, 123456789012345680, -0, 5e-324));
    fc.assert(
      fc.property(numbers, (number) => {
        const text = String(valueOf('CAST(?1 AS TEXT)', [number]));
        expect(valueOf(`?1 REGEXP '^${text.replaceAll(/[.+]/g, '\\$&')}$'`, [number])).toBe(1);
      }),
      { seed: 20_260_101, numRuns: 300 },
    );
  });

  it('looks at the whole of a long value', () => {
    expect(valueOf("?1 REGEXP 'needle$'", [`${'x'.repeat(1_900_000)}needle`])).toBe(1);
  });

  it('fails alone, with what to do, where the engine gives up', () => {
    expect(() => valueOf("'x' REGEXP '('")).toThrow('REGEXP cannot use this expression: Unterminated group');
    expect(() => valueOf("?1 REGEXP '^(?:((((((((a|b)))))))))*$'", ['ab'.repeat(900_000)])).toThrow(
      /on a value of 1800000 characters: Maximum call stack/,
    );
    expect(valueOf("'a' REGEXP 'a'")).toBe(1);
  });

  it('is there only where it is asked for, and not in what the file itself defines', () => {
    const other = openReader({
      databases: [{ schema: 'main', path: join(home, 'a.db') }],
      schema: { tables: [], hiddenTables: [] },
      functions: new Set(['like']),
    });
    expect(() => other.prepare("SELECT 'a' REGEXP 'a'")).toThrow('no such function: REGEXP');
    other.close();
    writer.exec("CREATE VIEW w AS SELECT v REGEXP 'a' AS v FROM t");
    expect(() => reader.internal('SELECT v FROM w')).toThrow(/unsafe use of regexp/i);
  });
});

describe('compileExpression', () => {
  it.each([
    ['(a', 'Unterminated group'],
    ['a**', 'Nothing to repeat'],
    ['(?i)a', 'Invalid group'],
    ['a)(?:b', "Unmatched ')'"],
    ['[z-a]', 'Range out of order in character class'],
    ['a/: (', 'Unterminated group'],
  ])('refuses %s: %s', (pattern, reason) => expect(compileExpression(pattern)).toEqual({ ok: false, reason }));

  it('is done at once with what would keep the engine busy for ever', () => {
    const patterns = [`${'(|)'.repeat(300)}x`, '((((a?){999}){999}){999}){999}', '(a+)+$', `${'('.repeat(450)}a${')'.repeat(450)}`];
    const startedAt = performance.now();
    for (const pattern of patterns) expect(compileExpression(pattern)).toMatchObject({ ok: true });
    expect(performance.now() - startedAt).toBeLessThan(200);
  });
});
