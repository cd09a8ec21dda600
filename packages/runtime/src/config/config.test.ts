import { describe, expect, it } from 'vitest';
import { DEFAULTS } from './config.ts';
import { leafKeys, loadConfig } from './load.ts';

describe('every number of the configuration', () => {
  const numbers = leafKeys(DEFAULTS).filter((key) => typeof valueAt(DEFAULTS, key) === 'number');

  it.each(numbers)('%s can be set to what it is without a setting', (key) => {
    const value = Number(valueAt(DEFAULTS, key));
    const written = [String(value), `${value}ms`, `${value}B`];
    const taken = written.filter((text) => {
      try {
        return valueAt(loadConfig({ environment: {}, assignments: ['state_dir=/s', `${key}=${text}`] }).config, key) === value;
      } catch {
        return false;
      }
    });
    expect(taken).toHaveLength(1);
  });
});

describe('the keys of the ledger', () => {
  const load = (...assignments: string[]) => loadConfig({ environment: {}, assignments: ['state_dir=/s', ...assignments] }).config.ledger;

  it('are read as they are written', () => {
    expect(load()).toEqual({ checkpoint_interval: 60_000, checkpoint_entries: 1024, sign_entries: false, mirror: [] });
    expect(
      load('ledger.checkpoint_interval=1s', 'ledger.checkpoint_entries=1', 'ledger.sign_entries=true', 'ledger.mirror=[/a, /b/c.jsonl]'),
    ).toEqual({ checkpoint_interval: 1000, checkpoint_entries: 1, sign_entries: true, mirror: ['/a', '/b/c.jsonl'] });
    expect(load('ledger.checkpoint_interval=1d', 'ledger.checkpoint_entries=100000')).toMatchObject({ checkpoint_interval: 86_400_000 });
  });

  it.each([
    ['checkpoint_interval=999ms', 'from 1s to 1d'],
    ['checkpoint_interval=25h', 'from 1s to 1d'],
    ['checkpoint_interval=60', 'a duration'],
    ['checkpoint_entries=0', 'a whole number from 1 to 100000'],
    ['checkpoint_entries=100001', 'a whole number from 1 to 100000'],
    ['sign_entries=2', 'true or false'],
    ['mirror=/a', 'a list'],
    ['mirror=[a]', 'an absolute path'],
    ['mirror=[""]', 'an absolute path'],
    ['mirror=[/a, /b, /a]', 'not name a file twice'],
    ['mirror=[/1, /2, /3, /4, /5, /6, /7, /8, /9]', 'have 8 entries at most'],
  ])('ledger.%s is refused', (assignment, why) => {
    expect(() => load(`ledger.${assignment}`)).toThrow(
      expect.objectContaining({ code: 'config.invalid', why: expect.stringContaining(why) }),
    );
  });
});

function valueAt(from: unknown, key: string): unknown {
  return key
    .split('.')
    .reduce<unknown>((section, part) => (typeof section === 'object' && section !== null ? Reflect.get(section, part) : undefined), from);
}
