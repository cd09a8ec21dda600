import { describe, expect, it } from 'vitest';
import { nestedRepetition } from './expression-shape.ts';

describe('nestedRepetition', () => {
  it.each([
    ['^(a+)+$', '(a+)+'],
    ['(a*)*b', '(a*)*'],
    ['^([a-z]+)*[0-9]$', '([a-z]+)*'],
    ['(?:x?a+y*)+', '(?:x?a+y*)+'],
    ['(?:b|\\w+)*?', '(?:b|\\w+)*?'],
    ['((a{2,}))+', '((a{2,}))+'],
    ['(?<n>(?i:a+)?){3,}', '(?<n>(?i:a+)?){3,}'],
    ['(?:^a+$)+', '(?:^a+$)+'],
    ['x(?:y(a+)*)?', '(a+)*'],
    ['(?=(a+)+$)b', '(a+)+'],
  ])('finds in %s %s', (expression, found) => {
    expect(new RegExp(expression)).toBeInstanceOf(RegExp);
    expect(nestedRepetition(expression)).toBe(found);
  });

  it.each([
    'a+b*',
    '(?:\\w+\\.)+com',
    '(?:-[a-z]+ )*',
    '(a+){3}',
    '(a+)?',
    '(?:a|aa)+',
    '([+*]a)+',
    '(\\+a)+',
    '[(a+)+]',
    '\\(a+\\)+',
    '(?:a{2,3})+',
    'a{,2}+'.slice(0, -1),
    '(?:(?=a+)b)+',
    '',
    '|',
    '(|)*',
  ])('finds none in %s', (expression) => {
    expect(new RegExp(expression)).toBeInstanceOf(RegExp);
    expect(nestedRepetition(expression)).toBeUndefined();
  });
});
