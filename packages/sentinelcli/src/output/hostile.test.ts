import { decodeHostBytes } from '@sentineld/model/host-text';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellWidth, fitCells, headCells, padCells } from './cells.ts';
import { commandText } from './command-text.ts';
import { csvRecord } from './csv.ts';
import { jsonArrayText, jsonText } from './json.ts';
import { renderTable } from './table.ts';
import { indentText, wrapText } from './wrap.ts';

/** What a terminal could act on, and what turns the reading direction. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => decodeHostBytes(bytes)),
  fc
    .array(
      fc.constantFrom(
        '\u001b[2J',
        '\r',
        '\n',
        '\t',
        '\u009b31m',
        '\u202e',
        '\u200b',
        '日本',
        'é',
        'e\u0301',
        '"',
        ',',
        '=1+1',
        '-',
        ' ',
        'abc',
        '\u0000',
        '\u{e0041}',
      ),
    )
    .map((parts) => parts.join('')),
);
const value = fc.oneof(hostileText, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null));

function linesOf(text: string): string[] {
  expect(text.endsWith('\n')).toBe(true);
  return text.slice(0, -1).split('\n');
}

describe('hostile strings', () => {
  it('cannot leave a table, whatever its width', () => {
    const rowsOf = (columns: number) => fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { maxLength: 6 });
    const table = fc
      .integer({ min: 1, max: 8 })
      .chain((columns) =>
        fc.tuple(fc.array(hostileText, { minLength: columns, maxLength: columns }), rowsOf(columns), fc.integer({ min: 40, max: 120 })),
      );
    fc.assert(
      fc.property(table, ([columns, rows, width]) => {
        const { text } = renderTable(columns, rows, { width, empty: 'NULL' });
        for (const line of linesOf(text)) {
          expect(line).not.toMatch(UNSAFE);
          // A single number or name may be wider than a narrow terminal; texts never are.
          if (rows.length > 0 && columns.every((name) => cellWidth(name) < 8))
            expect(cellWidth(line)).toBeLessThanOrEqual(Math.max(width, 40));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('cannot forge a line of wrapped text', () => {
    fc.assert(
      fc.property(hostileText, fc.integer({ min: 10, max: 90 }), (text, width) => {
        for (const line of wrapText(text, width)) {
          expect(line).not.toMatch(UNSAFE);
          expect(cellWidth(line)).toBeLessThanOrEqual(width);
        }
        expect(linesOf(indentText(text, width + 4, '    ')).every((line) => line === '' || line.startsWith('    '))).toBe(true);
      }),
    );
  });

  it('are JSON that gives back the same text and is safe to show', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const json = jsonText({ [text]: text });
        expect(json).not.toMatch(UNSAFE);
        expect(JSON.parse(json)).toEqual({ [text]: text });
      }),
    );
    expect(JSON.parse(jsonArrayText([{ a: '\u2028' }, { a: 1 }]))).toEqual([{ a: '\u2028' }, { a: 1 }]);
    expect(jsonArrayText([])).toBe('[]\n');
  });

  it('are shown as arguments within quotes', () => {
    fc.assert(
      fc.property(fc.array(hostileText, { maxLength: 4 }), (argv) => {
        expect(commandText(argv)).not.toMatch(UNSAFE);
      }),
    );
    expect(commandText(['sh', '-c', "echo 'a b'", ''])).toBe("sh -c 'echo '\\''a b'\\''' ''");
  });
});

describe('csvRecord', () => {
  it('is read back by an RFC 4180 reader, safe to show, and never a formula', () => {
    fc.assert(
      fc.property(fc.array(fc.array(value, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 4 }), (rows) => {
        const text = rows.map(csvRecord).join('');
        expect(text.replaceAll('\r\n', '')).not.toMatch(UNSAFE);
        const read = parseCsv(text);
        expect(read).toHaveLength(rows.length);
        rows.forEach((row, at) => {
          expect(read[at]).toHaveLength(row.length);
          row.forEach((cell, column) => {
            const field = read[at]?.[column];
            if (cell === null) expect(field).toBe('');
            else if (typeof cell === 'number') expect(field).toBe(String(cell));
            else expect(field).not.toMatch(/^[=+\-@\t\r]/);
            if (typeof cell === 'string' && /^[a-z0-9 ",]*$/i.test(cell)) expect(field).toBe(cell);
          });
        });
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['=cmd|calc', "'=cmd|calc"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@x', "'@x"],
    ['\t=1', "'\\t=1"],
    ['\r=1', "'\\r=1"],
    ['a"b,c', '"a""b,c"'],
    ['', '""'],
  ])('guards %j', (text, field) => {
    expect(csvRecord([text])).toBe(`${field}\r\n`);
  });

  it('leaves numbers and NULL as they are', () => {
    expect(csvRecord([-5, null, 1.5])).toBe('-5,,1.5\r\n');
  });
});

describe('cells', () => {
  it('counts wide and combining characters', () => {
    expect([cellWidth('abc'), cellWidth('日本'), cellWidth('e\u0301'), cellWidth('한글'), cellWidth('Ａ'), cellWidth('😀')]).toEqual([
      3, 4, 1, 4, 2, 2,
    ]);
  });

  it('cuts at a width, never within a character', () => {
    expect(fitCells('日本語', 4)).toBe('日…');
    expect(fitCells('abc', 3)).toBe('abc');
    expect(headCells('a日b', 2)).toBe('a');
    expect(fitCells('abc', 0)).toBe('');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 0, max: 30 }), (text, width) => {
        expect(cellWidth(fitCells(text, width))).toBeLessThanOrEqual(width);
      }),
    );
  });

  it('pads on either side', () => {
    expect([padCells('日', 4), padCells('1', 3, 'left'), padCells('long', 2)]).toEqual(['日  ', '  1', 'long']);
  });
});

/** Reads CSV as RFC 4180 describes it. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quoted) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') field += text[++at] ?? '';
      else quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === ',') [row, field] = [[...row, field], ''];
    else if (character === '\r' && text[at + 1] === '\n') {
      rows.push([...row, field]);
      [row, field] = [[], ''];
      at++;
    } else field += character;
  }
  return rows;
}
