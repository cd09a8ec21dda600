import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRule } from './read-rule.ts';
import { readRuleDirectory } from './read-rule-directory.ts';
import { placeInFile, sqlFileOf, type LoadedRule } from './rule-document.ts';

const HEAD = 'id: a-rule\nname: A\ndescription: d\nseverity: low\ncategory: test\nversion: 1\n';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-pair-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (name: string): string => join(directory, name);
function write(name: string, text: string | Uint8Array, mode = 0o644): void {
  writeFileSync(at(name), text);
  chmodSync(at(name), mode);
}
const read = (name = 'a-rule.yaml') => readRule(at(name), 'file', 'configured');
function ruleOf(name?: string): LoadedRule {
  const parsed = read(name);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.rule;
}

describe('a rule whose query is a file of its own', () => {
  it.each(['a-rule.yaml', 'a-rule.yml'])('takes it from there: %s', (name) => {
    write(name, HEAD);
    write('a-rule.sql', '-- what it finds\nSELECT pid, start_time\nFROM processes\n');
    const rule = ruleOf(name);
    expect(rule.sql).toBe('-- what it finds\nSELECT pid, start_time\nFROM processes');
    expect([rule.sourcePath, sqlFileOf(rule)]).toEqual([at(name), at('a-rule.sql')]);
    expect(placeInFile(rule, { line: 3, column: 6 })).toEqual({ line: 3, column: 6 });
    expect(placeInFile(rule, null)).toEqual({ line: 1, column: 1 });
  });

  it('has a checksum over both files', () => {
    write('a-rule.yaml', HEAD);
    write('a-rule.sql', 'SELECT 1');
    const first = ruleOf().checksum;
    write('a-rule.sql', 'SELECT 2');
    const second = ruleOf().checksum;
    write('a-rule.yaml', HEAD.replace('version: 1', 'version: 2'));
    const third = ruleOf().checksum;
    expect(new Set([first, second, third]).size).toBe(3);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is one of its directory, where the .sql file is no rule by itself', () => {
    write('a-rule.yaml', HEAD);
    write('a-rule.sql', 'SELECT 1');
    write('b-rule.yaml', `${HEAD.replace('a-rule', 'b-rule')}query: SELECT 2\n`);
    write('c-rule.sql', 'SELECT 3');
    const { rules, problems } = readRuleDirectory(directory, 'file', 'configured');
    expect(rules.map((rule) => [rule.id, rule.sql, sqlFileOf(rule)])).toEqual([
      ['a-rule', 'SELECT 1', at('a-rule.sql')],
      ['b-rule', 'SELECT 2', at('b-rule.yaml')],
    ]);
    expect(problems).toEqual([]);
  });

  it('is refused where there is no query, with what would help', () => {
    write('a-rule.yaml', HEAD);
    expect(read()).toMatchObject({
      ok: false,
      problems: [{ file: at('a-rule.yaml'), key: 'query', message: 'The key "query" is missing', hint: expect.stringContaining('.sql') }],
    });
  });

  it('is refused where the query stands twice, with the place of one and the name of the other', () => {
    write('a-rule.yaml', `${HEAD}query: SELECT 1\n`);
    write('a-rule.sql', 'SELECT 2');
    expect(read()).toMatchObject({
      ok: false,
      problems: [
        { file: at('a-rule.yaml'), line: 7, key: 'query', ruleId: 'a-rule', message: `The query stands here and in ${at('a-rule.sql')}` },
      ],
    });
  });

  it.each([
    ['empty', () => write('a-rule.sql', ' \n'), 'The file is empty'],
    ['writable for all', () => write('a-rule.sql', 'SELECT 1', 0o646), 'can be written by every user'],
    ['no text', () => write('a-rule.sql', Buffer.from([0xff, 0xfe])), 'not UTF-8'],
    ['too large', () => write('a-rule.sql', 'x'.repeat(70_000)), 'larger than 65536 bytes'],
    ['a link', () => symlinkSync('/etc/hostname', at('a-rule.sql')), 'cannot be read'],
    ['a directory in disguise', () => symlinkSync('.', at('a-rule.sql')), 'cannot be read'],
  ])('is refused where its file is %s', (_, make, message) => {
    write('a-rule.yaml', HEAD);
    make();
    expect(read()).toMatchObject({
      ok: false,
      problems: [{ file: at('a-rule.sql'), ruleId: 'a-rule', message: expect.stringContaining(message), hint: expect.stringMatching(/./) }],
    });
  });
});
