import { SentinelError } from '@sentineld/model/error';
import { describe, expect, it } from 'vitest';
import { CONFIG_OPTIONS, readArguments, readWholeNumber, writerConfig, type ProgramArguments, type ProgramSyntax } from './arguments.ts';

const OPTIONS = { ...CONFIG_OPTIONS, once: { value: null, only: 'run' }, help: { value: null, short: 'h' } } as const;
const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = { program: 'tool', options: OPTIONS, words: ['run', 'check'], mostWords: 1 };

const read = (...given: string[]): ProgramArguments<keyof typeof OPTIONS> => readArguments(SYNTAX, given);

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'usage.invalid') return `${thrown.message} | ${thrown.why} | ${thrown.hint}`;
    throw thrown;
  }
  return 'taken';
}

describe('readArguments', () => {
  it('takes options before and behind the word, with a value inline or behind them', () => {
    const given = read('--set', 'a=1', 'run', '--state-dir=/x=y', '--set=b=-2', '--once');
    expect([given.words, given.texts('set'), given.text('state-dir'), given.has('once'), given.has('help')]).toEqual([
      ['run'],
      ['a=1', 'b=-2'],
      '/x=y',
      true,
      false,
    ]);
    expect([given.text('config'), given.texts('config'), read('-h').has('help'), read('--', 'run').words]).toEqual([
      undefined,
      [],
      true,
      ['run'],
    ]);
  });

  it('says nothing of the rest where help is asked for', () => {
    expect(read('frobnicate', 'twice', '--once', '--help').has('help')).toBe(true);
  });

  it.each([
    [['frobnicate'], 'unknown command "frobnicate" | tool knows run, check | tool --help says what each does'],
    [['chekc'], 'unknown command "chekc" | tool knows run, check | did you mean "tool check"?'],
    [['run', 'run'], '"run" is one word too many | tool takes one word | leave it out; tool --help shows what is taken'],
    [['--oce'], 'unknown option --oce | tool takes --config, --state-dir, --set, --once | did you mean --once?'],
    [['--__proto__'], 'unknown option --__proto__ | tool takes --config, --state-dir, --set, --once | tool --help lists them'],
    [['-x'], 'unknown option -x | tool takes --config, --state-dir, --set, --once | tool --help lists them'],
    [['--config'], '--config needs a value | FILE stands for it, and nothing that can be it follows | write --config=FILE'],
    [['--config', '--once'], '--config needs a value | FILE stands for it, and nothing that can be it follows | write --config=FILE'],
    [['--config', '--', 'run'], '--config needs a value | FILE stands for it, and nothing that can be it follows | write --config=FILE'],
    [['--config='], '--config needs a value | an empty one would stand for nothing | write --config=FILE'],
    [['run', '--once=no'], '--once=no: not taken | --once takes no value | write --once alone'],
    [
      ['check', '--once'],
      '--once does not go with "check" | it says something about "tool run" alone | leave it out, or write: tool run --once',
    ],
  ])('refuses %j', (given, text) => {
    expect(refusal(() => read(...given))).toBe(text);
  });

  it('refuses any word where none is taken', () => {
    const bare = { program: 'tool', options: {}, words: [], mostWords: 0 };
    expect(refusal(() => readArguments(bare, ['now']))).toBe(
      '"now" is one word too many | tool takes no words, options alone | leave it out; tool --help shows what is taken',
    );
  });
});

describe('writerConfig', () => {
  it('takes a directory from where the program is called, whatever is in its name', () => {
    expect(writerConfig(read('--state-dir', '/a: b', '--set', 'log.level=debug', '--config', 'c.yaml'))).toEqual({
      use: 'write',
      file: 'c.yaml',
      assignments: ['state_dir="/a: b"', 'log.level=debug'],
    });
    expect(writerConfig(read('--state-dir', 'here')).assignments).toEqual([`state_dir=${JSON.stringify(`${process.cwd()}/here`)}`]);
    expect(writerConfig(read())).toEqual({ use: 'write', assignments: [] });
  });
});

describe('readWholeNumber', () => {
  it('takes what lies within its bounds and nothing else', () => {
    expect(['1', '7', '10'].map((text) => readWholeNumber('--n', text, 1, 10))).toEqual([1, 7, 10]);
    for (const text of ['0', '11', '-1', '1.5', '1e1', '', ' 1', '9'.repeat(30)])
      expect(refusal(() => readWholeNumber('--n', text, 1, 10))).toBe(
        `--n ${text}: not taken | it must be a whole number from 1 to 10 | write for instance --n 1`,
      );
  });
});
