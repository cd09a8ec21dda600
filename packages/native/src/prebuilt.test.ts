import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { exportedSymbols, readElf } from './fixtures/read-elf.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const records = new Map(
  readFileSync(join(root, 'prebuilt/BUILD'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
    .map(([name = '', sources = '', binary = '', compiler = '', linker = '']) => [name, { sources, binary, compiler, linker }] as const),
);

function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** The first line that the compiler prints, or what went wrong. */
function firstLine(...command: readonly [string, ...string[]]): string {
  const { stdout, error } = spawnSync(command[0], command.slice(1), { encoding: 'utf8' });
  return error?.message ?? stdout.split('\n')[0] ?? '';
}

describe.each([
  ['linux-x64.node', 62],
  ['linux-arm64.node', 183],
])('%s', (name, machine) => {
  const record = records.get(name);
  const bytes = readFileSync(join(root, 'prebuilt', name));

  it('was built from these sources and is the recorded file', () => {
    const sources = readdirSync(join(root, 'c')).toSorted((a, b) => (a < b ? -1 : 1));
    const read = ['build.sh', ...sources.map((source) => `c/${source}`)].map((path) => readFileSync(join(root, path)));
    expect(record).toMatchObject({ sources: sha256(...read), binary: sha256(bytes) });
  });

  it('is a shared library for its architecture that Node can register', () => {
    expect(readElf(bytes)).toMatchObject({ is64BitLittleEndian: true, type: 3, machine });
    expect(exportedSymbols(bytes)).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
  });

  it('runs on C libraries since 2017', () => {
    const versions = [...bytes.toString('latin1').matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
    expect(Math.max(...versions)).toBeLessThanOrEqual(26);
    expect(bytes.includes('GLIBC_PRIVATE')).toBe(false);
  });

  it('holds no path of the machine it was built on', () => {
    for (const trace of ['/home/', '/tmp/', root]) expect(bytes.includes(trace)).toBe(false);
  });
});

describe('build.sh', () => {
  it('makes the committed x64 binary again, byte by byte', ({ skip }) => {
    const name = 'linux-x64.node';
    const compiler = firstLine('gcc', '--version');
    const linker = firstLine('gcc', '-Wl,--version');
    const record = records.get(name);
    if (process.arch !== 'x64' || compiler !== record?.compiler || linker !== record.linker) {
      console.warn(
        `Skipped: rebuilding ${name} needs '${record?.compiler}' with '${record?.linker}', here is '${compiler}' with '${linker}' on ${process.arch}`,
      );
      return skip();
    }
    const directory = mkdtempSync(join(tmpdir(), 'sentineld-build-'));
    try {
      const built = spawnSync(join(root, 'build.sh'), ['x64', directory], { encoding: 'utf8', env: { PATH: process.env['PATH'] } });
      expect(built).toMatchObject({ status: 0, stderr: '', stdout: '' });
      expect(readFileSync(join(directory, name)).equals(readFileSync(join(root, 'prebuilt', name)))).toBe(true);
      expect(readFileSync(join(directory, 'BUILD'), 'utf8')).toContain(record.binary);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('knows its architectures', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sentineld-build-'));
    const { status, stderr } = spawnSync(join(root, 'build.sh'), ['riscv64', directory], { encoding: 'utf8' });
    rmSync(directory, { recursive: true });
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('riscv64') });
  });
});
