import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearestWord } from './nearest-word.ts';

const KEYS = ['log.level', 'collection.interval', 'collection.hash', 'alerting.file.path'];

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['abc', 'abc', 0],
    ['kitten', 'sitting', 3],
    ['nmae', 'name', 1],
    ['ca', 'abc', 3],
  ])('of %j and %j', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
    expect(editDistance(to, from)).toBe(distance);
  });
});

describe('nearestWord', () => {
  it.each([
    ['nmae', 'name'],
    ['serverity', 'severity'],
    ['Severity', 'severity'],
    ['dedupe', 'dedup'],
    ['falsepositives', 'false_positives'],
    ['ip', 'id'],
    ['sql', null],
  ])('to %s among short names', (word, nearest) => {
    expect(nearestWord(word, ['id', 'name', 'description', 'severity', 'dedup', 'false_positives'])).toBe(nearest);
  });

  it.each([
    ['log.levle', 'log.level'],
    ['LOG.LEVEL', 'log.level'],
    ['log_level', 'log.level'],
    ['colection.intervall', 'collection.interval'],
    ['alerting.path', 'alerting.file.path'],
  ])('%s was meant to be %s', (word, meant) => {
    expect(nearestWord(word, KEYS)).toBe(meant);
  });

  it.each(['', 'x', 'completely.different.thing', 'hash'])('%j is no misspelling of any', (word) => {
    expect(nearestWord(word, KEYS)).toBeNull();
  });

  it('takes the first of equally near ones, and none of none', () => {
    expect(nearestWord('cat', ['cut', 'cot'])).toBe('cut');
    expect(nearestWord('cat', [])).toBeNull();
  });

  it('finds a candidate with one letter wrong, missing, added or swapped', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{4,20}$/),
        fc.nat(),
        fc.constantFrom('wrong', 'missing', 'added', 'swapped'),
        (candidate, at, mistake) => {
          const place = at % (candidate.length - 1);
          const [head, letter, rest] = [candidate.slice(0, place), candidate.charAt(place), candidate.slice(place + 1)];
          const typed = {
            wrong: `${head}#${rest}`,
            missing: `${head}${rest}`,
            added: `${head}#${letter}${rest}`,
            swapped: `${head}${rest.charAt(0)}${letter}${rest.slice(1)}`,
          };
          expect(nearestWord(typed[mistake], ['zzzzzzzzzzzzzzzzzzzzzzzzzzz', candidate])).toBe(candidate);
        },
      ),
    );
  });

  it('gives nothing for a word that is far too long', () => {
    expect(nearestWord('a'.repeat(100_000), KEYS)).toBeNull();
  });
});
