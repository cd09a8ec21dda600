import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openExportFile } from './export-file.ts';

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-export-'));
  path = join(directory, 'x.db');
  closeSync(openSync(path, 'wx', 0o600));
});
afterEach(() => rmSync(directory, { recursive: true }));

const TABLE = {
  name: 'odd "name"',
  columns: [
    { name: 'whole', type: 'INTEGER', description: '' },
    { name: 'part', type: 'REAL', description: '' },
    { name: 'text', type: 'TEXT', description: '' },
  ],
} as const;

describe('openExportFile', () => {
  it('keeps values with their types, and says what is in it', () => {
    const file = openExportFile(path, 'x.db');
    file.createTable(TABLE);
    file.insert([
      [1, 2.5, "it's; DROP\u0000"],
      ['9007199254740993', 3, null],
    ]);
    file.insert([[null, null, '7']]);
    file.describe({ table: TABLE.name, fromMs: 5, toMs: null, host: null, version: '1', rows: 3 });
    file.close();
    const db = new DatabaseSync(path, { readOnly: true, readBigInts: true });
    const rows = db.prepare('SELECT whole, typeof(part) AS part, text FROM "odd ""name""" ORDER BY rowid').all();
    const info = db.prepare('SELECT * FROM export_info').get();
    db.close();
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { whole: 1n, part: 'real', text: "it's; DROP\u0000" },
      // Beyond what JavaScript's numbers hold: it came as text and is a number again.
      { whole: 9007199254740993n, part: 'real', text: null },
      { whole: null, part: 'null', text: '7' },
    ]);
    expect({ ...info }).toEqual({ table_name: TABLE.name, from_ms: 5n, to_ms: null, host: null, version: '1', rows: 3n });
  });

  it('says which file cannot be written', () => {
    expect(() => openExportFile(join(directory, 'none', 'x.db'), 'the file')).toThrow(
      expect.objectContaining({ code: 'state.unusable', message: 'the file cannot be written' }),
    );
    const file = openExportFile(path, 'x.db');
    expect(() => file.insert([])).toThrow(expect.objectContaining({ code: 'internal.bug' }));
    file.close();
  });
});
