import { hostname, release, type } from 'node:os';
import { describe, expect, it } from 'vitest';
import { readHostFacts } from './host-facts.ts';

describe('readHostFacts', () => {
  it('names the distribution as os-release(5) does', () => {
    const read = () => 'NAME="Debian"\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n';
    expect(readHostFacts(read)).toEqual({
      hostname: hostname(),
      osName: `${type()} (Debian GNU/Linux 12 (bookworm))`,
      osVersion: release(),
    });
    expect(readHostFacts(() => 'PRETTY_NAME=Arch\n').osName).toBe(`${type()} (Arch)`);
  });

  it.each(['', 'NAME=x\n', 'PRETTY_NAME=\n', 'PRETTY_NAME=""\n', '#PRETTY_NAME="x"\n'])(
    'names the kernel alone where there is no name: %j',
    (text) => {
      expect(readHostFacts(() => text).osName).toBe(type());
    },
  );

  it('does not mind a system without the file', () => {
    const read = (): string => {
      throw new Error('ENOENT');
    };
    expect(readHostFacts(read).osName).toBe(type());
    expect(readHostFacts().osName).toContain(type());
  });
});
