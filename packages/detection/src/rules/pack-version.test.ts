import { expect, test } from 'vitest';
import { PACK_VERSION, compareVersions, nextVersion } from './pack-version.ts';

test('versions are one to four numbers without leading zeros', () => {
  for (const version of ['0', '1', '1.4', '1.4.0', '2026.11.22.1', '999999999']) expect(version).toMatch(PACK_VERSION);
  for (const version of ['', '1.', '.1', '01', '1.04', '1.2.3.4.5', '1.4.0-beta', 'v1', '1 ', '1\n', '-1', '1000000000', '１'])
    expect(version).not.toMatch(PACK_VERSION);
});

test('numbers are compared as numbers, and what is left out is 0', () => {
  const rising = ['0', '0.9', '1', '1.0.1', '1.2', '1.10', '2'];
  for (const [at, version] of rising.entries()) {
    for (const [other, otherVersion] of rising.entries())
      expect([version, otherVersion, Math.sign(compareVersions(version, otherVersion))]).toEqual([
        version,
        otherVersion,
        Math.sign(at - other),
      ]);
  }
  expect(compareVersions('1.4', '1.4.0')).toBe(0);
});

test('the next one is higher', () => {
  expect(['1', '1.9', '1.4.0'].map(nextVersion)).toEqual(['2', '1.10', '1.4.1']);
});
