import { expect, test } from 'vitest';
import { createKept } from './kept.ts';

function create(most: number) {
  const made: string[] = [];
  const kept = createKept<{ readonly key: string }>(most);
  const ask = (keys: string): string => {
    made.length = 0;
    for (const key of keys) expect(kept.get(key, () => (made.push(key), { key }))).toEqual({ key });
    return made.join('');
  };
  return { kept, ask };
}

test('keeps as many as there is room for, also where more are asked for in turn', () => {
  const { ask, kept } = create(2);
  expect(ask('aabab')).toBe('ab');
  expect(ask('abcabc')).toBe('cc');
  kept.stop();
  expect(ask('aab')).toBe('aab');
});

test('lets go of what nobody asks for any more', () => {
  const { ask } = create(2);
  ask('ab');
  expect(ask('cdcdcdcdcdcdcdcdcd').length).toBeLessThan(18);
  expect(ask('cd')).toBe('');
});

test('keeps nothing where it may keep none, and nothing of what failed', () => {
  expect(create(0).ask('aa')).toBe('aa');
  const kept = createKept<object>(2);
  const fail = (): object => {
    throw new Error('no');
  };
  expect(() => kept.get('a', fail)).toThrow('no');
  expect(kept.get('a', () => ({ now: true }))).toEqual({ now: true });
});
