import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitWindowsCommandLine } from './windows-command-line.ts';

describe('splitWindowsCommandLine', () => {
  it.each([
    ['', ['']],
    ['a.exe', ['a.exe']],
    ['a.exe  b\tc ', ['a.exe', 'b', 'c']],
    ['"C:\\Program Files\\a.exe" b', ['C:\\Program Files\\a.exe', 'b']],
    ['C:\\dir\\a.exe "x y" z', ['C:\\dir\\a.exe', 'x y', 'z']],
    ['"C:\\dir\\" b', ['C:\\dir\\', 'b']],
    ['"C:\\never closed b', ['C:\\never closed b']],
    // The examples of Microsoft's page on the arguments of main().
    ['a "abc" d e', ['a', 'abc', 'd', 'e']],
    ['a a\\\\b d"e f"g h', ['a', 'a\\\\b', 'de fg', 'h']],
    ['a a\\\\\\"b c d', ['a', 'a\\"b', 'c', 'd']],
    ['a a\\\\\\\\"b c" d e', ['a', 'a\\\\b c', 'd', 'e']],
    ['a a"b"" c d', ['a', 'ab" c d']],
    ['a "" ""', ['a', '', '']],
    ['a """x"""', ['a', '"x"']],
    ['a "open b', ['a', 'open b']],
    ['a \\', ['a', '\\']],
  ])('%j', (command, expected) => {
    expect(splitWindowsCommandLine(command)).toEqual(expected);
  });

  /** As programs write a command line that is to be split so again. */
  const quote = (argument: string): string => `"${argument.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, '$&$&')}"`;

  it('gives back what was quoted for it', () => {
    const argument = fc.string({ unit: fc.constantFrom(...Array.from('ab "\\\t=/')), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 6 }), (argv) => {
        expect(splitWindowsCommandLine(['a.exe', ...argv.map(quote)].join(' '))).toEqual(['a.exe', ...argv]);
      }),
    );
  });
});
