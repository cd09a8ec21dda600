import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { describe, expect, test } from 'vitest';
import { caseFileOf, parseCases, readCaseFile } from './case-file.ts';

const parse = (text: string): ReturnType<typeof parseCases> => parseCases(text, 'x.case.yaml', EVENTS_SCHEMA);

test('cases become rows and expectations', () => {
  const text =
    '- name: one\n  processes: [{ pid: 5, argv: [a, b] }]\n  tables: { coverage: [{ scan_id: 1 }] }\n  matches: [5, { pid: 6, exe_path: null }]\n- { name: two, matches: [] }\n';
  expect(parse(text)).toEqual({
    ok: true,
    cases: [
      {
        name: 'one',
        rows: { processes: [{ pid: 5, argv: ['a', 'b'] }], coverage: [{ scan_id: 1 }] },
        matches: [{ pid: 5 }, { pid: 6, exe_path: null }],
      },
      { name: 'two', rows: { processes: [] }, matches: [] },
    ],
  });
});

describe('what is wrong, with its place', () => {
  const cases: [text: string, line: number, column: number, message: RegExp][] = [
    ['', 1, 1, /does not hold/],
    ['[]', 1, 1, /does not hold/],
    ['name: x\n', 1, 1, /does not hold/],
    ['- name: x\n  match: []\n  matches: []\n', 2, 3, /Unknown key "match"/],
    ['- name: x\n', 1, 3, /"matches" is missing/],
    ['- matches: []\n', 1, 3, /"name" is missing/],
    ['- name: x\n  matches: 5\n', 2, 12, /not a list/],
    ['- name: x\n  matches: [a]\n', 2, 13, /neither a pid nor columns/],
    ['- name: x\n  processes: [5]\n  matches: []\n', 2, 15, /not a row/],
    ['- name: x\n  processes:\n    - pid: 1\n      exe: /x\n  matches: []\n', 4, 12, /no column exe/],
    ['- name: x\n  processes:\n    - pid: 1\n    - { pid: 2, name: 5 }\n  matches: []\n', 4, 23, /processes, row 2: name is not a text/],
    ['- name: x\n  processes:\n    - name: a\n  matches: []\n', 3, 7, /pid is missing/],
    ['- name: x\n  tables:\n    sockets: []\n  matches: []\n', 3, 5, /no table sockets/],
    ['- name: x\n  tables: { processes: [] }\n  matches: []\n', 2, 11, /stands beside/],
    ['- name: x\n  matches: []\n- name: x\n  matches: []\n', 3, 9, /twice/],
    ['- name: x\n  name: y\n', 2, 3, /same key/],
  ];
  test.each(cases)('%j', (text, line, column, message) => {
    expect(parse(text)).toMatchObject({
      ok: false,
      problems: [{ file: 'x.case.yaml', line, column, message: expect.stringMatching(message), hint: expect.stringMatching(/./) }],
    });
  });
});

test('the file beside a rule', () => {
  expect(caseFileOf('/r/a.case-of.yaml')).toBe('/r/a.case-of.case.yaml');
  expect(caseFileOf('/r/a.yml')).toBe('/r/a.case.yml');
  const directory = mkdtempSync(join(tmpdir(), 'cases-'));
  try {
    const path = join(directory, 'a.case.yaml');
    expect(readCaseFile(path)).toMatchObject({ ok: false, problems: [{ file: path, line: null }] });
    writeFileSync(path, '- { name: x, matches: [] }\n');
    expect(readCaseFile(path)).toMatchObject({ ok: true });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
