import { describe, expect, it } from 'vitest';
import { checkStyle, countOpeningLines } from './style.ts';

const FILE = 'packages/model/src/alert.ts';
const OPENING = '/**\n * What it is for.\n * What it trusts.\n */\n';

/** Words that this file may not hold in one piece. */
function joined(...parts: string[]): string {
  return parts.join('');
}

function rulesIn(text: string, file = FILE): string[] {
  return checkStyle(file, text).map(({ rule }) => rule);
}

describe('countOpeningLines', () => {
  it.each([
    [2, '// one\n// two\n\ncode'],
    [2, OPENING],
    [2, '#!/usr/bin/env node\n// one\n// two\n'],
    [1, '/** one */\ncode'],
    [0, "import 'x';\n// one\n// two\n"],
    [0, ''],
  ])('finds %i lines in %j', (count, text) => {
    expect(countOpeningLines(text)).toBe(count);
  });
});

describe('checkStyle', () => {
  it('is content with a file that keeps the rules', () => {
    expect(rulesIn(`${OPENING}export const a = 1;\n`)).toEqual([]);
    expect(rulesIn(OPENING + 'x\n'.repeat(296))).toEqual([]);
    expect(rulesIn("it.skipIf(process.getuid?.() !== 0)('x', () => {});\nctx.skip('why');\n", 'packages/model/src/alert.test.ts')).toEqual(
      [],
    );
    expect(rulesIn(`${OPENING}const path = 'name-XXXXXX';\n`)).toEqual([]);
  });

  it.each([
    ['opening-comment', 'export const a = 1;\n'],
    ['opening-comment', `/**\n${' * line\n'.repeat(6)} */\n`],
    ['file-length', OPENING + 'x\n'.repeat(297)],
    ['unfinished', `${OPENING}// ${joined('TO', 'DO')}: later\n`],
    ['unfinished', `${OPENING}// ${joined('FIX', 'ME')}\n`],
  ])('%s', (rule, text) => {
    expect(rulesIn(text)).toEqual([rule]);
  });

  it.each([joined('it.on', 'ly('), joined('describe.sk', 'ip('), joined('test.to', 'do('), joined('it.concurrent.on', 'ly(')])(
    'lone-test: %s',
    (text) => {
      expect(rulesIn(text, 'packages/model/src/alert.test.ts')).toEqual(['lone-test']);
    },
  );

  it.each(['packages/model/src/utils.ts', 'packages/model/src/helpers/a.ts', 'packages/model/src/types.ts'])('empty-name: %s', (file) => {
    expect(rulesIn(OPENING, file)).toEqual(['empty-name']);
  });
});
