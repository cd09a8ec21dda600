import { describe, expect, test } from 'vitest';
import { makeSigner } from './fixtures/make-ledger.ts';
import { parseKeyLines } from './key-lines.ts';

const [one, two] = [makeSigner('one').key, makeSigner('two').key];

describe('parseKeyLines', () => {
  test('takes one key a line, with remarks', () => {
    expect(parseKeyLines(`# kept since May\n${one.text}\n\n  ${two.text}  # the next\r\n`, 'f')).toEqual([one, two]);
  });

  test.each([
    ['nothing', '', 'there is no key in it'],
    ['remarks alone', '# none\n', 'there is no key in it'],
    ['another line', `${one.text}\nabc\n`, 'line 2 is no key of a ledger: it is not NAME+8 HEX DIGITS+BASE64'],
    ['a key that was cut off', `\n${one.text.slice(0, -8)}\n`, 'line 2 is no key of a ledger: it has 26 bytes'],
  ])('names the file and the line: %s', (_name, text, why) => {
    expect(() => parseKeyLines(text, 'my.keys')).toThrow(
      expect.objectContaining({
        code: 'ledger.input',
        message: 'The file of keys my.keys cannot be used.',
        why: expect.stringContaining(why),
        hint: expect.stringContaining('audit key export'),
      }),
    );
  });
});
