import { expect, test } from 'vitest';
import { createKept } from './kept.ts';

test('keeps so many, and lets go of what was longest unused', () => {
  const made: string[] = [];
  const kept = createKept<{ readonly key: string }>(2);
  const ask = (key: string) => kept.get(key, () => (made.push(key), { key }));
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) expect(ask(key)).toEqual({ key });
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  kept.stop();
  for (let time = 0; time < 2; time++) ask('b');
  expect(made).toEqual(['a', 'b', 'c', 'b', 'b', 'b']);
});

test('keeps nothing where it may keep none, and nothing of what failed', () => {
  let made = 0;
  const none = createKept<object>(0);
  for (let time = 0; time < 2; time++) none.get('a', () => ({ number: made++ }));
  expect(made).toBe(2);
  const kept = createKept<object>(2);
  const fail = (): object => {
    throw new Error('no');
  };
  expect(() => kept.get('a', fail)).toThrow('no');
  expect(kept.get('a', () => ({ now: true }))).toEqual({ now: true });
});
