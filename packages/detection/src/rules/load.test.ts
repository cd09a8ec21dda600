import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadRules } from './load.ts';
import { RULE_SOURCE_KINDS } from './sources/registry.ts';

let root = '';
let builtinDirectory = '';
let own = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'rules-')));
  builtinDirectory = join(root, 'builtin');
  own = join(root, 'own');
  mkdirSync(builtinDirectory);
  mkdirSync(own);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function ruleText(id: string): string {
  return `id: ${id}\nname: N\ndescription: D\nseverity: low\ncategory: c\nversion: 1\nquery: SELECT pid, start_time FROM processes\n`;
}

function put(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const ids = (directories: readonly string[] = [own]): string[] => loadRules({ builtinDirectory, directories }).rules.map(({ id }) => id);
const problemsOf = (directories: readonly string[] = [own]): ReturnType<typeof loadRules>['problems'] =>
  loadRules({ builtinDirectory, directories }).problems;

describe.each(RULE_SOURCE_KINDS.map((kind) => [kind.name, kind] as const))('every rule source: %s', (name, kind) => {
  const settings = (): { builtinDirectory: string; directories: string[] } => ({ builtinDirectory: own, directories: [own] });

  test('is named and summarised', () => {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(kind.summary).not.toBe('');
    expect(RULE_SOURCE_KINDS.filter((other) => other.name === name)).toHaveLength(1);
  });

  test('an empty place holds nothing and is no problem', () => {
    expect(kind.load(settings())).toEqual({ rules: [], problems: [] });
  });

  test('a place that is not there is a problem', () => {
    const absent = join(root, 'absent');
    expect(kind.load({ builtinDirectory: absent, directories: [absent] })).toMatchObject({
      rules: [],
      problems: [{ file: absent, message: expect.stringMatching(/ENOENT/) }],
    });
  });

  test('what is broken keeps nothing else out, and twice gives the same', () => {
    put(join(own, 'a.yaml'), ruleText('a'));
    put(join(own, 'b.yaml'), 'id: [\n');
    put(join(own, 'c.yaml'), `${ruleText('c')}nmae: x\n`);
    put(join(own, 'd.yml'), ruleText('d'));
    const loaded = kind.load(settings());
    expect(loaded.rules.map(({ id, sourcePath }) => [id, sourcePath])).toEqual([
      ['a', join(own, 'a.yaml')],
      ['d', join(own, 'd.yml')],
    ]);
    expect(loaded.problems.map(({ file, line }) => [file, line])).toEqual([
      [join(own, 'b.yaml'), 2],
      [join(own, 'c.yaml'), 8],
    ]);
    expect(kind.load(settings())).toEqual(loaded);
  });
});

describe('a directory', () => {
  test('is read in order, three levels deep, rule files only', () => {
    for (const path of [
      'z.yaml',
      'b/y.yaml',
      'b/c/x.yml',
      'B.yaml',
      'b/a.case.yaml',
      'b/a.case.yml',
      '.hidden.yaml',
      '.git/h.yaml',
      'README.md',
      'n.yaml.bak',
      'q.sql',
    ]) {
      put(join(own, path), ruleText(`r-${path.replaceAll(/[^a-z]/g, '') || 'b'}`));
    }
    expect(ids()).toEqual(['r-yaml', 'r-bcxyml', 'r-byyaml', 'r-zyaml']);
    expect(problemsOf()).toEqual([]);
  });

  test('a fourth level is not read, and said so', () => {
    put(join(own, 'a/b/c/x.yaml'), ruleText('deep'));
    expect(ids()).toEqual([]);
    expect(problemsOf()).toMatchObject([{ file: join(own, 'a/b/c'), message: expect.stringMatching(/Deeper than 3/) }]);
  });

  test('links within it are followed, links out of it are not', () => {
    put(join(own, '.data/x.yaml'), ruleText('inside'));
    symlinkSync('.data/x.yaml', join(own, 'x.yaml'));
    const outside = put(join(root, 'elsewhere/y.yaml'), ruleText('outside'));
    symlinkSync(outside, join(own, 'y.yaml'));
    symlinkSync(dirname(outside), join(own, 'linked'));
    symlinkSync('nowhere', join(own, 'z.yaml'));
    expect(ids()).toEqual(['inside']);
    expect(problemsOf()).toMatchObject([
      { file: join(own, 'y.yaml'), message: expect.stringMatching(/leads out of the directory/) },
      { file: join(own, 'z.yaml'), message: expect.stringMatching(/ENOENT/) },
    ]);
  });

  test('the directory itself may be a link', () => {
    put(join(own, 'x.yaml'), ruleText('x'));
    symlinkSync(own, join(root, 'link'));
    expect(ids([join(root, 'link')])).toEqual(['x']);
  });

  test('what everybody may write is refused, at every level', () => {
    chmodSync(put(join(own, 'a.yaml'), ruleText('a')), 0o646);
    put(join(own, 'sub/b.yaml'), ruleText('b'));
    chmodSync(join(own, 'sub'), 0o777);
    put(join(own, 'c.yaml'), ruleText('c'));
    put(join(own, '.open/d.yaml'), ruleText('d'));
    chmodSync(join(own, '.open'), 0o777);
    symlinkSync('.open/d.yaml', join(own, 'd.yaml'));
    expect(ids()).toEqual(['c']);
    expect(problemsOf().map(({ file }) => file)).toEqual([join(own, 'd.yaml'), join(own, 'sub'), join(own, 'a.yaml')]);
    chmodSync(own, 0o777);
    expect(ids()).toEqual([]);
    expect(problemsOf()).toMatchObject([{ file: own, message: expect.stringMatching(/every user/) }]);
  });

  test('a file where a directory should be', () => {
    expect(problemsOf([put(join(root, 'file'), '')])).toMatchObject([{ message: expect.stringMatching(/ENOTDIR/) }]);
  });
});

test('of two rules with one id the first stays, and the problem names both files', () => {
  const first = put(join(builtinDirectory, 'x/a.yaml'), ruleText('same'));
  const second = put(join(own, 'b.yaml'), `# later\n${ruleText('same')}`);
  const third = put(join(own, 'c.yaml'), ruleText('same'));
  const { rules, problems } = loadRules({ builtinDirectory, directories: [own] });
  expect(rules).toMatchObject([{ id: 'same', source: 'builtin', sourcePath: first }]);
  expect(problems).toMatchObject([
    {
      file: second,
      line: 2,
      column: 1,
      key: 'id',
      ruleId: 'same',
      message: expect.stringContaining(first),
      hint: expect.stringMatching(/disable/),
    },
    { file: third, message: expect.stringContaining(first) },
  ]);
});

test('the directories come in their order, and one given twice shows', () => {
  put(join(own, 'z.yaml'), ruleText('z'));
  const other = join(root, 'other');
  put(join(other, 'a.yaml'), ruleText('a'));
  expect(ids([own, other])).toEqual(['z', 'a']);
  expect(problemsOf([own, own])).toMatchObject([{ ruleId: 'z' }]);
});

describe('overrides', () => {
  test('switch rules off and on, and change severities', () => {
    put(join(builtinDirectory, 'a.yaml'), ruleText('a'));
    put(join(own, 'b.yaml'), `${ruleText('b')}enabled: false\n`);
    const { rules, problems } = loadRules({
      builtinDirectory,
      directories: [own],
      overrides: { a: { enabled: false }, b: { enabled: true, severity: 'critical' } },
    });
    expect(rules).toMatchObject([
      { id: 'a', enabled: false, severity: 'low' },
      { id: 'b', enabled: true, severity: 'critical' },
    ]);
    expect(problems).toEqual([]);
  });

  test('of rules that are not there are problems', () => {
    put(join(own, 'a.yaml'), ruleText('some-rule'));
    const { problems } = loadRules({ builtinDirectory, directories: [own], overrides: { 'some-rul': {}, constructor: {} } });
    expect(problems).toMatchObject([
      { file: 'overrides', key: 'some-rul', hint: 'Did you mean "some-rule"?' },
      { file: 'overrides', key: 'constructor' },
    ]);
  });
});

describe('dedup_with', () => {
  const shared = (id: string, other: string, dedup: string): string => `${ruleText(id)}dedup: ${dedup}\ndedup_with: ${other}\n`;

  test('names a rule with as many dedup columns', () => {
    put(join(builtinDirectory, 'first.yaml'), ruleText('first'));
    put(join(own, 'a.yaml'), shared('a', 'first', '[pid, seq]'));
    const { rules, problems } = loadRules({ builtinDirectory, directories: [own] });
    expect(rules.map(({ id, dedupWith }) => [id, dedupWith])).toEqual([
      ['first', undefined],
      ['a', 'first'],
    ]);
    expect(problems).toEqual([]);
  });

  test('that names another is a problem, and the rule is loaded', () => {
    put(join(builtinDirectory, 'first.yaml'), ruleText('first'));
    put(join(own, 'a.yaml'), shared('a', 'frist', '[pid, seq]'));
    put(join(own, 'b.yaml'), shared('b', 'first', '[pid]'));
    expect(ids()).toEqual(['first', 'a', 'b']);
    expect(problemsOf()).toMatchObject([
      {
        file: join(own, 'a.yaml'),
        key: 'dedup_with',
        ruleId: 'a',
        message: 'There is no rule "frist" to share findings with',
        hint: 'Did you mean "first"?',
      },
      { file: join(own, 'b.yaml'), key: 'dedup_with', message: 'The rule "first" has 2 dedup columns, this one 1' },
    ]);
  });
});
