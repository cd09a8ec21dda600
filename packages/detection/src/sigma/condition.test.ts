import { describe, expect, it } from 'vitest';
import { parseCondition, type Condition } from './condition.ts';

const NAMES = ['selection', 'selection_a', 'selection_b', 'filter_main_x', '_hidden', 'all_in'];

/** The condition with brackets around everything. */
function show(condition: Condition): string {
  switch (condition.kind) {
    case 'name':
      return condition.name;
    case 'some':
      return `${condition.quantifier}[${condition.names.join(' ')}]`;
    case 'not':
      return `!${show(condition.of)}`;
    case 'and':
    case 'or':
      return `(${condition.of.map(show).join(condition.kind === 'and' ? ' & ' : ' | ')})`;
  }
}

function read(text: string): string {
  const parsed = parseCondition(text, NAMES);
  return parsed.ok ? show(parsed.condition) : parsed.message;
}

describe('a condition', () => {
  const cases: readonly (readonly [text: string, shown: string])[] = [
    ['selection', 'selection'],
    ['selection and filter_main_x', '(selection & filter_main_x)'],
    ['selection or selection_a and selection_b', '(selection | (selection_a & selection_b))'],
    ['not selection and selection_a', '(!selection & selection_a)'],
    ['not not selection', '!!selection'],
    ['not (selection or selection_a)', '!(selection | selection_a)'],
    ['(selection)and(not selection_a)', '(selection & !selection_a)'],
    ['selection AND NOT selection_a OR selection_b', '((selection & !selection_a) | selection_b)'],
    ['1 of selection_*', 'any[selection_a selection_b]'],
    ['any of selection*', 'any[selection selection_a selection_b]'],
    ['all of selection_* and not 1 of filter_*', '(all[selection_a selection_b] & !any[filter_main_x])'],
    ['all of them', 'all[selection selection_a selection_b filter_main_x all_in]'],
    ['1 of *_*', 'any[selection_a selection_b filter_main_x all_in]'],
    ['1 of *a*i*', 'any[filter_main_x all_in]'],
    ['1 of _*', 'any[_hidden]'],
    ['1 of selection', 'any[selection]'],
    ['_hidden', '_hidden'],
    ['all_in', 'all_in'],
  ];
  it.each(cases)('%s', (text, shown) => {
    expect(read(text)).toBe(shown);
  });

  const refused: readonly (readonly [text: string, message: RegExp])[] = [
    ['', /ends too early/],
    ['selection and', /ends too early/],
    ['(selection', /ends too early/],
    ['selection)', /goes on with "\)"/],
    ['selection selection_a', /goes on with "selection_a"/],
    ['nothing', /names "nothing", and there is no such detection/],
    ['selection and "x"', /has ""x""/],
    ['1 of nothing_*', /no detection is called so/],
    ['2 of selection_*', /has "2 of", only "1 of", "any of" and "all of"/],
    ['1 of (selection)', /has "\(" where the name/],
    ['(selection selection_a)', /has "selection_a" where "\)" belongs/],
    ['selection | count() > 5', /more than one event/],
    ['selection | near selection_a', /more than one event/],
    [`${'('.repeat(60)}selection${')'.repeat(60)}`, /more than 50 levels/],
    [`${'not '.repeat(60)}selection`, /more than 50 levels/],
    [`selection${' or selection'.repeat(300)}`, /more than 500 words/],
  ];
  it.each(refused)('is refused: %s', (text, message) => {
    expect(read(text)).toMatch(message);
  });
});
