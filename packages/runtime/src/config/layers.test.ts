import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAssignment, parseConfigText, readConfigFile, readEnvironment } from './layers.ts';

const isRoot = process.getuid?.() === 0;

function thrownBy(work: () => unknown): SentinelError {
  try {
    work();
  } catch (cause) {
    if (cause instanceof SentinelError) return cause;
    throw cause;
  }
  throw new Error('nothing was thrown');
}

describe('parseConfigText', () => {
  it('gives each value with the place of its key', () => {
    const text = '# a comment\nlog:\n  level: debug\n\ndetection:\n  rules_dirs: [/a, /b]\n  row_limit: 5\n';
    expect(parseConfigText(text, 'c.yaml')).toEqual([
      { path: ['log', 'level'], value: 'debug', where: 'c.yaml:3:3' },
      { path: ['detection', 'rules_dirs'], value: ['/a', '/b'], where: 'c.yaml:6:3' },
      { path: ['detection', 'row_limit'], value: 5, where: 'c.yaml:7:3' },
    ]);
  });

  it('takes an empty file, a comment and an empty mapping for nothing', () => {
    for (const text of ['', '# nothing\n', '{}', '---\n']) expect(parseConfigText(text, 'c.yaml')).toEqual([]);
  });

  it('gives null for an empty section and for a key without a value', () => {
    expect(parseConfigText('log:\nalerting: {}\ncollection:\n  hash:\n  interval: {}\n', 'c')).toEqual([
      { path: ['log'], value: null, where: 'c:1:1' },
      { path: ['alerting'], value: null, where: 'c:2:1' },
      { path: ['collection', 'hash'], value: null, where: 'c:4:3' },
      { path: ['collection', 'interval'], value: null, where: 'c:5:3' },
    ]);
  });

  it('follows an alias to its value', () => {
    expect(parseConfigText('a: &x [1]\nb: *x\n', 'c')[1]).toEqual({ path: ['b'], value: [1], where: 'c:2:1' });
  });

  it.each([
    ['a key given twice', 'log:\n  level: debug\n  level: info\n', 'c.yaml:3:3: not valid YAML: Map keys must be unique'],
    ['a tab', 'log:\n\tlevel: debug\n', 'c.yaml:2:1: not valid YAML: Tabs are not allowed as indentation'],
    ['an open bracket', 'log:\n  level: [debug\n', 'c.yaml:3:1: not valid YAML'],
    ['two documents', 'log:\n  level: info\n---\na: 1\n', 'c.yaml:3:1: not valid YAML'],
    ['a key that is no text', '? [a]\n: b\n', 'c.yaml:1:3: not valid YAML'],
    ['a list', '- a\n', 'c.yaml:1:1: no mapping: a configuration file is a mapping'],
    ['text', 'level', 'c.yaml:1:1: no mapping: a configuration file is a mapping'],
    ['an alias without an anchor', 'log:\n  level: *none\n', 'c.yaml:2:3: not valid YAML: Unresolved alias'],
    ['brackets without end', `a: ${'['.repeat(100_000)}`, 'c.yaml:1:'],
    ['braces without end', `a: ${'{a: '.repeat(50_000)}`, 'c.yaml:1:'],
  ])('refuses %s, and says where', (_what, text, message) => {
    const thrown = thrownBy(() => parseConfigText(text, 'c.yaml'));
    expect(thrown.code).toBe('config.invalid');
    expect(`${thrown.message}: ${thrown.why}`).toContain(message);
    expect(`${thrown.message}${thrown.why}${thrown.hint}`).not.toContain('\n');
  });

  it('refuses aliases that multiply', () => {
    const bomb = ['a0: &a0 [x, x]', ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}, *a${i}]`)].join(
      '\n',
    );
    expect(() => parseConfigText(bomb, 'c.yaml')).toThrow(
      expect.objectContaining({ code: 'config.invalid', why: expect.stringContaining('alias') }),
    );
  });
});

describe('readConfigFile', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-layers-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('gives null for a file that is not there', () => {
    expect(readConfigFile(join(directory, 'none.yaml'))).toBeNull();
  });

  it('reads a file of 1 MiB and refuses a larger one', () => {
    const file = join(directory, 'c.yaml');
    const setting = 'log: {level: debug}\n';
    writeFileSync(file, `${setting}#${'x'.repeat(1_048_576 - setting.length - 1)}`);
    expect(readConfigFile(file)).toHaveLength(1);
    writeFileSync(file, `${setting}#${'x'.repeat(1_048_576 - setting.length)}`);
    expect(() => readConfigFile(file)).toThrow(expect.objectContaining({ code: 'config.unreadable', why: 'it is larger than 1 MiB' }));
  });

  it('refuses a directory and whatever else is no ordinary file', () => {
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    for (const file of [directory, join(directory, 'pipe'), '/dev/zero']) {
      expect(() => readConfigFile(file), file).toThrow(
        expect.objectContaining({ code: 'config.unreadable', message: expect.stringContaining(file) }),
      );
    }
  });

  it.skipIf(isRoot)('says which file may not be read (needs an unprivileged user)', () => {
    const file = join(directory, 'c.yaml');
    writeFileSync(file, 'log: {}');
    chmodSync(file, 0o000);
    expect(() => readConfigFile(file)).toThrow(
      expect.objectContaining({ code: 'config.unreadable', why: expect.stringContaining('permission denied') }),
    );
  });

  it('takes a byte order mark for nothing, and no bytes that are not UTF-8', () => {
    const file = join(directory, 'c.yaml');
    writeFileSync(file, '\uFEFFlog: {level: debug}\n');
    expect(readConfigFile(file)).toEqual([{ path: ['log', 'level'], value: 'debug', where: `${file}:1:7` }]);
    writeFileSync(file, Buffer.from('log: {level: "\xff"}\n', 'latin1'));
    expect(thrownBy(() => readConfigFile(file))).toMatchObject({ code: 'config.invalid', why: 'it has bytes that are not UTF-8' });
  });
});

describe('readEnvironment', () => {
  it('takes the variables of the product alone, two underscores for a dot', () => {
    const environment = {
      SENTINELD_LOG__LEVEL: 'debug',
      SENTINELD_COLLECTION__ARGV_LIMIT: '4KiB',
      SENTINELD_CORPORA: 'x',
      PATH: '/bin',
      SENTINELD_STATE_DIR: undefined,
    };
    expect(readEnvironment(environment)).toEqual([
      { path: ['log', 'level'], value: 'debug', where: 'SENTINELD_LOG__LEVEL' },
      { path: ['collection', 'argv_limit'], value: '4KiB', where: 'SENTINELD_COLLECTION__ARGV_LIMIT' },
    ]);
  });
});

describe('parseAssignment', () => {
  it.each([
    ['a.b=debug', 'debug'],
    ['a.b=', ''],
    ['a.b=x=y', 'x=y'],
    ['a.b=true', true],
    ['a.b=12', 12],
    ['a.b=[/x, /y]', ['/x', '/y']],
    ['a.b="true"', 'true'],
    ["a.b='[x]'", '[x]'],
    ['a.b= padded ', 'padded'],
    // A path is taken as it was written, whatever YAML would make of it.
    ['a.b=/srv/my #1 dir', '/srv/my #1 dir'],
    ['a.b=/srv/key: value', '/srv/key: value'],
    ['a.b="open', '"open'],
    ['a.b=[open', '[open'],
    ['a.b=*alias', '*alias'],
    ['a.b={c: 1}', '{c: 1}'],
  ])('%s', (assignment, value) => {
    expect(parseAssignment(assignment)).toEqual({ path: ['a', 'b'], value, where: '--set a.b' });
  });

  it.each(['', 'a', '=b'])('%j is no assignment', (assignment) => {
    expect(() => parseAssignment(assignment)).toThrow(expect.objectContaining({ code: 'usage.invalid', why: 'it must be KEY=VALUE' }));
  });
});
