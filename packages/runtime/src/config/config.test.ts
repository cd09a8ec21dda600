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

function valueAt(from: unknown, key: string): unknown {
  return key
    .split('.')
    .reduce<unknown>((section, part) => (typeof section === 'object' && section !== null ? Reflect.get(section, part) : undefined), from);
}
