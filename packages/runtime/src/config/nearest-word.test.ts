import { expect, test } from 'vitest';
import { editDistance, nearestWord } from './nearest-word.ts';

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['abc', '', 3],
  ['abc', 'abc', 0],
  ['kitten', 'sitting', 3],
  ['nmae', 'name', 1],
  ['ca', 'abc', 3],
])('distance of %j and %j', (from, to, distance) => {
  expect(editDistance(from, to)).toBe(distance);
  expect(editDistance(to, from)).toBe(distance);
});

const KEYS = ['id', 'name', 'description', 'severity', 'dedup', 'false_positives'];

test.each([
  ['nmae', 'name'],
  ['serverity', 'severity'],
  ['Severity', 'severity'],
  ['dedupe', 'dedup'],
  ['falsepositives', 'false_positives'],
  ['ip', 'id'],
  ['sql', null],
  ['', null],
  ['x'.repeat(100_000), null],
])('nearest to %.20j', (word, nearest) => {
  expect(nearestWord(word, KEYS)).toBe(nearest);
});
