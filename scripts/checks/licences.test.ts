import { describe, expect, it } from 'vitest';
import { createFixture } from './fixture.ts';
import { checkLicences, isAllowed } from './licences.ts';
import { readProductionClosure } from './manifests.ts';

describe('isAllowed', () => {
  it.each([
    'MIT',
    'ISC',
    '(MIT OR GPL-3.0)',
    'GPL-3.0 OR Apache-2.0',
    '(MIT AND ISC)',
    '(MIT OR GPL-3.0) AND ISC',
    'GPL-2.0 OR MIT AND ISC',
  ])('allows %s', (licence) => {
    expect(isAllowed(licence)).toBe(true);
  });

  it.each([
    '',
    'GPL-3.0',
    'MPL-2.0',
    'MIT AND GPL-3.0',
    'MIT OR',
    '(MIT',
    'MIT)',
    'MIT ISC',
    'UNLICENSED',
    'SEE LICENSE IN LICENSE',
    'MIT AND (GPL-3.0 OR MPL-2.0)',
  ])('refuses %j', (licence) => {
    expect(isAllowed(licence)).toBe(false);
  });
});

describe('checkLicences', () => {
  const manifest = (name: string, more: object): string => JSON.stringify({ name, version: '1.0.0', ...more });

  it('follows what is shipped, however deep, and names what it refuses', () => {
    using fixture = createFixture({
      'package.json': manifest('root', { devDependencies: { vitest: '1.0.0' } }),
      'packages/model/package.json': manifest('@sentineld/model', { dependencies: { a: '1.0.0' } }),
      'node_modules/a/package.json': manifest('a', {
        license: 'MIT',
        dependencies: { b: '1.0.0' },
        optionalDependencies: { 'not-here': '1.0.0' },
      }),
      'node_modules/a/node_modules/b/package.json': manifest('b', { license: 'GPL-3.0' }),
      'node_modules/b/package.json': manifest('b', { license: 'MIT' }),
      'node_modules/vitest/package.json': manifest('vitest', {}),
    });
    const packages = readProductionClosure(fixture.root);
    expect(packages.map((found) => found.manifest.name)).toEqual(['a', 'b']);
    expect(checkLicences(packages)).toEqual([{ rule: 'licence', message: 'b@1.0.0 has the licence GPL-3.0' }]);
  });

  it('fails where something shipped is not installed, or says nothing', () => {
    using fixture = createFixture({
      'package.json': manifest('root', {}),
      'packages/model/package.json': manifest('@sentineld/model', { dependencies: { gone: '1.0.0' } }),
    });
    expect(() => readProductionClosure(fixture.root)).toThrow('gone, needed by');
    expect(checkLicences([{ directory: '', manifest: { name: 'mute', version: '1.0.0' } }])).toEqual([
      { rule: 'licence', message: 'mute@1.0.0 has no licence' },
    ]);
  });
});
