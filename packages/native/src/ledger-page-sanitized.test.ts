import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { chain, pageOf, rowContent } from './fixtures/entry-page.ts';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const SOURCES = ['blake3', 'blake3-compress', 'hash-code', 'hash-lanes-base', 'hash-lanes-avx2', 'hash-sha-ni', 'ledger-page'];
const directory = mkdtempSync(join(tmpdir(), 'sentineld-page-fuzz-'));
const program = join(directory, 'page-fuzz');
const OPTIONS = ['-std=gnu11', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-o', program];
const gcc = (sources: readonly string[], input?: string): SpawnSyncReturns<string> =>
  spawnSync('gcc', [...OPTIONS, ...sources], { encoding: 'utf8', input });
const trial = gcc(['-x', 'c', '-'], 'int main(void) { return 0; }');
afterAll(() => rmSync(directory, { recursive: true }));

it.skipIf(trial.status !== 0)('no page makes the addon read or write outside of its memory [gcc with sanitizers]', () => {
  const built = gcc([path('fixtures/page-fuzz.c'), ...SOURCES.map((name) => path(`../c/${name}.c`))]);
  expect(built).toMatchObject({ status: 0, stderr: '' });
  const contents = Array.from({ length: 40 }, (_, at) => rowContent(at + 1, { eventData: 'ë'.repeat(1 + ((at * 53) % 700)) }));
  writeFileSync(join(directory, 'page'), pageOf(chain(contents)));
  const { status, stdout, stderr } = spawnSync(program, [join(directory, 'page'), '40', '2000'], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '40 0\n', stderr: '' });
});
