import { describe, expect, it } from 'vitest';
import { checkPins } from './pins.ts';

describe('checkPins', () => {
  it('is content with exact versions, aliases of exact versions and workspace:*', () => {
    const dependencies = {
      zod: '4.6.7',
      typescript: 'npm:@typescript/typescript6@6.0.2',
      next: '1.0.0-rc.1',
      '@sentineld/model': 'workspace:*',
    };
    expect(checkPins('package.json', { dependencies, devDependencies: { native: 'npm:typescript@7.0.2' } })).toEqual([]);
  });

  it.each([
    '^4.6.7',
    '~4.6.7',
    '4.6',
    '4.x',
    '>=4',
    '*',
    'latest',
    '',
    'workspace:*',
    'npm:zod@^4.0.0',
    'github:colinhacks/zod',
    '4.6.7 || 5.0.0',
    'file:../zod',
  ])('refuses %j', (version) => {
    for (const list of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']) {
      expect(checkPins('package.json', { [list]: { zod: version } })).toMatchObject([{ rule: 'pin', file: 'package.json' }]);
    }
  });

  it("refuses a version of one of the workspace's own packages", () => {
    expect(checkPins('package.json', { dependencies: { '@sentineld/model': '0.1.0' } })).toHaveLength(1);
    expect(checkPins('package.json', { dependencies: { '@sentineld/model': 'workspace:^' } })).toHaveLength(1);
  });
});
