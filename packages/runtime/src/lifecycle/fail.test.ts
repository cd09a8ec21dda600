import { SentinelError } from '@sentineld/model/error';
import { describe, expect, it } from 'vitest';
import { describeFailure, exitStatusOf } from './fail.ts';

describe('describeFailure', () => {
  it('says what happened, why and what to do, without a stack', () => {
    const error = new SentinelError('config.invalid', {
      message: 'c.yaml:1:2: unknown key',
      why: 'because',
      hint: 'did you mean log.level?',
    });
    expect(describeFailure('procmond', error)).toBe('procmond: c.yaml:1:2: unknown key\n  because\n  did you mean log.level?\n');
  });

  it('says why and what to do by its code where the error does not', () => {
    expect(describeFailure('procmond', new SentinelError('config.invalid', { message: 'x' }))).toBe(
      'procmond: x\n  a setting that is not understood is refused, never ignored\n  docs/configuration.md has every key with its default and its form\n',
    );
  });

  it('is three lines whatever it is made of, and lets nothing of the host into the terminal', () => {
    const error = new SentinelError('state.held', { message: 'a\u001b[2J\nb\u202e\r', why: '\u0000', hint: 'kill\u0007 1\nrm' });
    expect(describeFailure('p', error)).toBe('p: a\\x1b[2J\\nb\\u{202e}\\r\n  \\x00\n  kill\\x07 1\\nrm\n');
  });

  it('calls everything else a bug, with its stack', () => {
    const text = describeFailure('p', new TypeError('x is null'));
    expect(text).toMatch(/^p: this is a bug: x is null\n {2}something .*\n {2}please report .*\nTypeError: x is null\n {4}at /);
    expect(describeFailure('p', 'text')).toMatch(/^p: this is a bug: text\n.*\n.*\ntext\n$/);
    const stackless = Object.assign(new Error('gone'), { stack: undefined });
    expect(describeFailure('p', stackless)).toMatch(/^p: this is a bug: gone\n.*\n.*\ngone\n$/);
  });

  it('lets nothing of the host into the terminal by way of a bug either', () => {
    expect(describeFailure('p', new Error('open \u001b[2J'))).not.toContain('\u001b');
  });
});

describe('exitStatusOf', () => {
  it("is that of the error's kind, and 70 for a bug", () => {
    const codes = ['usage.invalid', 'config.invalid', 'state.held', 'internal.bug'] as const;
    expect(codes.map((code) => exitStatusOf(new SentinelError(code, { message: '' })))).toEqual([2, 3, 4, 70]);
    expect(exitStatusOf(new Error('x'))).toBe(70);
    expect(exitStatusOf(null)).toBe(70);
  });
});
