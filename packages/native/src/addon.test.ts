import { execFileSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from './addon.ts';

const fileName = `${process.platform}-${process.arch}.node`;
const prebuilt = fileURLToPath(new URL('../prebuilt', import.meta.url));

describe('loadNative', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-native-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('gives the same answer every time', () => {
    expect(loadNative()).toBe(loadNative());
    expect(loadNative().available).toBe(existsSync(join(prebuilt, fileName)));
  });

  it('says what is missing', () => {
    expect(loadNative({ directory })).toEqual({ available: false, reason: expect.stringContaining(directory) });
    expect(loadNative({ directory: `${directory}\0` })).toMatchObject({ available: false });
  });

  it.runIf(existsSync(join(prebuilt, fileName)))('loads from a directory', () => {
    cpSync(join(prebuilt, fileName), join(directory, fileName));
    expect(loadNative({ directory })).toMatchObject({ available: true });
  });

  it.each([
    ['nothing', ''],
    ['text', 'not a library'],
    ['half a header', '\u007fELF\u0002\u0001\u0001'],
  ])('does not fall over a file with %s in it', (_name, content) => {
    writeFileSync(join(directory, fileName), content, 'latin1');
    expect(loadNative({ directory })).toEqual({ available: false, reason: expect.stringContaining('cannot be loaded') });
  });

  it('does not take a directory for a file', () => {
    mkdirSync(join(directory, fileName));
    expect(loadNative({ directory })).toMatchObject({ available: false });
  });

  it.each(['darwin', 'win32', 'freebsd'])('has none for %s', (platform) => {
    const original = Object.getOwnPropertyDescriptor(process, 'platform');
    Object.defineProperty(process, 'platform', { ...original, value: platform });
    try {
      expect(loadNative({ directory })).toEqual({ available: false, reason: expect.stringContaining(platform) });
    } finally {
      if (original !== undefined) Object.defineProperty(process, 'platform', original);
    }
  });
});

describe.runIf(existsSync(join(prebuilt, fileName)))('loadNative in a copy of this code', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-native-'));
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    for (const name of ['addon', 'binding', 'confinement', 'filter', 'io-uring', 'ledger-hash', 'syscalls']) {
      cpSync(fileURLToPath(new URL(`${name}.ts`, import.meta.url)), join(directory, 'code', `${name}.ts`));
    }
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** 'available' or the reason why not, as the copy says. */
  function askCopy(): string {
    const url = pathToFileURL(join(directory, 'code/addon.ts'));
    const program = `import { loadNative } from ${JSON.stringify(url.href)}; const it = loadNative(); console.log(it.available ? 'available' : it.reason)`;
    return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim();
  }

  it('finds prebuilt/ inside its directory or beside it', () => {
    expect(askCopy()).toContain(`no ${fileName} in ${join(directory, 'code/prebuilt')}`);
    cpSync(join(prebuilt, fileName), join(directory, 'prebuilt', fileName));
    expect(askCopy()).toBe('available');
    renameSync(join(directory, 'prebuilt'), join(directory, 'code/prebuilt'));
    expect(askCopy()).toBe('available');
  });

  it.runIf(process.getuid?.() === 0)("does not load another user's file, nor one from another user's directory", () => {
    const copy = join(directory, 'prebuilt', fileName);
    cpSync(join(prebuilt, fileName), copy);
    chownSync(copy, 65_534, 65_534);
    expect(askCopy()).toContain('belongs to user 65534');
    chownSync(copy, 0, 0);
    chownSync(join(directory, 'prebuilt'), 65_534, 65_534);
    expect(askCopy()).toContain('belongs to user 65534');
    chownSync(join(directory, 'code/addon.ts'), 65_534, 65_534);
    expect(askCopy()).toBe('available');
  });
});
