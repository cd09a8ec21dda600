import { SentinelError } from '@sentineld/model/error';
import { describe, expect, it } from 'vitest';
import { parseCommandLine, type CommandLine } from './arguments.ts';
import { COMMANDS } from './commands/registry.ts';
import { choice, duration, wholeNumber } from './option.ts';

const parse = (...words: string[]): CommandLine => parseCommandLine(words, COMMANDS);
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'usage.invalid') return `${thrown.message} -> ${thrown.hint}`;
    throw thrown;
  }
  return 'taken';
};

describe('parseCommandLine', () => {
  it('takes options before, between and after the words', () => {
    const given = {
      words: ['SELECT 1'],
      options: new Map([
        ['json', ['']],
        ['state-dir', ['/s']],
        ['param', ['a=1', 'b=2']],
      ]),
    };
    const expected = { kind: 'run', command: { name: 'query' }, given };
    expect(parse('--state-dir', '/s', 'query', '--json', 'SELECT 1', '--param', 'a=1', '--param=b=2')).toMatchObject(expected);
    expect(parse('query', '--param=a=1', '--param', 'b=2', '--json', '--state-dir=/s', '--', 'SELECT 1')).toMatchObject(expected);
  });

  it('reads an option of two kinds as the command has it, wherever that is named', () => {
    expect(parse('query', '--table', 'SELECT 1')).toMatchObject({ command: { name: 'query' }, given: { words: ['SELECT 1'] } });
    expect(parse('--table', 'query', 'SELECT 1')).toMatchObject({ command: { name: 'query' }, given: { words: ['SELECT 1'] } });
    const given = {
      words: [],
      options: new Map([
        ['table', ['coverage']],
        ['format', ['csv']],
      ]),
    };
    expect(parse('export', '--table', 'coverage', '--format', 'csv')).toMatchObject({ command: { name: 'export' }, given });
    expect(parse('--table', 'coverage', '--format', 'csv', 'export')).toMatchObject({ command: { name: 'export' }, given });
    expect(parse('--table=coverage', 'export', '--format=csv')).toMatchObject({ command: { name: 'export' }, given });
  });

  it('takes a statement that looks like an option after --', () => {
    expect(parse('query', '--', '-- a comment\nSELECT 1')).toMatchObject({ given: { words: ['-- a comment\nSELECT 1'] } });
  });

  it('shows help where nothing is asked, and the version anywhere', () => {
    expect(parse()).toEqual({ kind: 'help', command: null, group: null });
    expect(parse('-h')).toEqual({ kind: 'help', command: null, group: null });
    expect(parse('help')).toEqual({ kind: 'help', command: null, group: null });
    expect(parse('rules', '--help')).toEqual({ kind: 'help', command: null, group: 'rules' });
    expect(parse('help', 'rules')).toEqual({ kind: 'help', command: null, group: 'rules' });
    expect(parse('query', '--version')).toEqual({ kind: 'version' });
  });

  it.each([
    [['helth'], 'unknown command "helth" -> did you mean "sentinelcli health"?'],
    [['frobnicate'], 'unknown command "frobnicate" -> sentinelcli --help lists the commands'],
    [['rules'], '"rules" alone is no command -> sentinelcli rules --help says what each does'],
    [['rules', 'lst'], 'unknown command "rules lst" -> did you mean "sentinelcli rules list"?'],
    [['rules', 'frobnicate'], 'unknown command "rules frobnicate" -> sentinelcli rules --help says what each does'],
    [['health', '--jsn'], 'unknown option --jsn -> did you mean --json?'],
    [['health', '-x'], 'unknown option -x -> sentinelcli health --help lists the options'],
    [['--nonsense'], 'unknown option --nonsense -> sentinelcli --help lists the options'],
    [['health', '--severity', 'high'], '--severity is not an option of "health" -> sentinelcli health --help lists the options'],
    [['--limit', '5'], '--limit needs a command -> sentinelcli --help lists the options'],
    [['health', '--json=yes'], '--json=yes: not taken -> write --json alone'],
    [['query', 'x', '--limit'], '--limit needs a value -> write --limit=N'],
    [['query', 'x', '--param', '--json'], '--param needs a value -> write --param=NAME=VALUE'],
    [['query'], 'query needs SQL -> sentinelcli query --help shows examples'],
    [['query', 'SELECT', '1'], '"1" is one word too many -> put the statement between quotes: sentinelcli query \'SELECT …\''],
    [['health', 'now'], '"now" is one word too many -> sentinelcli health --help shows what it takes'],
    [['health', '--constructor'], 'unknown option --constructor -> sentinelcli health --help lists the options'],
  ])('refuses %j', (words, text) => {
    expect(refusal(() => parse(...words))).toBe(text);
  });

  it('takes any number of words where a command wants them', () => {
    expect(parse('rules', 'validate', 'a', 'b', 'c')).toMatchObject({ given: { words: ['a', 'b', 'c'] } });
  });
});

describe('options', () => {
  const limit = wholeNumber({ least: 1, most: 10 }, 5, 'Rows');
  const since = duration({ leastMs: 1000, mostMs: 60_000 }, 'Since');
  const severity = choice(['low', 'high'], 'Severity');

  it('become values, the last one given wins', () => {
    expect([
      limit.read('limit', []),
      limit.read('limit', ['2', '7']),
      since.read('since', []),
      since.read('since', ['2s']),
      severity.read('severity', ['low']),
    ]).toEqual([5, 7, null, 2000, 'low']);
  });

  it.each([
    [() => limit.read('limit', ['0']), '--limit 0: not taken -> write for instance --limit 5'],
    [() => limit.read('limit', ['1e1']), '--limit 1e1: not taken -> write for instance --limit 5'],
    [() => since.read('since', ['5']), '--since 5: not taken -> write for instance --since 1m'],
    [() => since.read('since', ['2m']), '--since 2m: not taken -> write for instance --since 1m'],
    [() => severity.read('severity', ['hgh']), '--severity hgh: not taken -> did you mean --severity high?'],
    [() => severity.read('severity', ['enormous']), '--severity enormous: not taken -> write for instance --severity high'],
  ])('are refused with the reason', (work, text) => {
    expect(refusal(work)).toBe(text);
  });
});
