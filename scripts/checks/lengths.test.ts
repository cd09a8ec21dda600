import { describe, expect, it } from 'vitest';
import { functionLengths, ninetiethPercentile } from './lengths.ts';

const TEXT = `function short() {}

class Holder {
  method() {
    const inner = () => 1;
    function nested() {
      return inner();
    }
    return nested();
  }
}
declare function noBody(): void;
`;

describe('functionLengths', () => {
  it('has each function with a name and a body, nested ones too', () => {
    expect(functionLengths('a.ts', TEXT).map(({ name, line, lines }) => [name, line, lines])).toEqual([
      ['short', 1, 1],
      ['method', 4, 7],
      ['nested', 6, 3],
    ]);
  });
});

describe('ninetiethPercentile', () => {
  const lengths = (...lines: number[]) => lines.map((each) => ({ file: 'a.ts', line: 1, name: 'a', lines: each }));

  it('is what nine of ten do not exceed', () => {
    expect(ninetiethPercentile(lengths(10, 1, 2, 3, 4, 5, 6, 7, 8, 9))).toBe(9);
    expect(ninetiethPercentile(lengths(5))).toBe(5);
    expect(ninetiethPercentile([])).toBe(0);
  });
});
