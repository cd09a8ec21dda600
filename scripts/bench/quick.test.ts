import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../checks/finding.ts';

type Ended = { readonly pid: number; readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a benchmark whose processes can be told by `mark` in their environment; sends a signal once processes sleep. */
function bench(words: readonly string[], mark: string, signal?: NodeJS.Signals): Promise<Ended> {
  const child = spawn(process.execPath, ['--conditions=sentineld-source', 'scripts/bench.ts', ...words], {
    cwd: REPOSITORY,
    env: { ...process.env, SENTINELD_BENCH_TEST: mark },
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (bytes: Buffer) => (text.stdout += bytes.toString()));
  let signalled = false;
  child.stderr.on('data', (bytes: Buffer) => {
    text.stderr += bytes.toString();
    if (signal === undefined || signalled || !text.stderr.includes('processes asleep')) return;
    signalled = true;
    child.kill(signal);
  });
  return new Promise((resolve) => child.once('close', (status) => resolve({ pid: child.pid ?? -1, status, ...text })));
}

function processesWith(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
    } catch {
      return false;
    }
  });
}

function directoriesOf(pid: number): string[] {
  return readdirSync(join(REPOSITORY, 'build', 'bench')).filter((name) => name.startsWith(`run-${pid}-`));
}

/** Names of everything in a JSON value, nested ones with dots. */
function keysOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [prefix];
  return Object.entries(value).flatMap(([name, inner]) => keysOf(inner, prefix === '' ? name : `${prefix}.${name}`));
}

describe('the short form of a benchmark', { timeout: 60_000 }, () => {
  it.each([
    ['enumerate', ['ratios.large.coldOverC', 'ratios.small.steadyOverPs', 'figures.large.cpuMsPer1000.steady', 'figures.few.psCpuMs']],
    ['store', ['ratios.rowsPerCpuSecond', 'figures.write.bytesPerRow', 'figures.day.bytesPerRow', 'figures.read.oldFull.wallMs']],
  ])('%s ends with one line of JSON and leaves nothing behind', async (name, expected) => {
    const mark = randomUUID();
    const { pid, status, stdout, stderr } = await bench([name, '--quick'], mark);
    const line = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Readonly<Record<string, unknown>>;
    // A machine without psutil or gcc says so, and is not well.
    expect([status, line['ok']], stderr).toEqual('missing' in line ? [1, false] : [0, true]);
    expect(line).toMatchObject({ bench: name, quick: true });
    expect(keysOf(line)).toEqual(expect.arrayContaining(expected));
    expect(processesWith(mark)).toEqual([]);
    expect(directoriesOf(pid)).toEqual([]);
  });

  it('leaves nothing behind when it is interrupted while processes sleep', async () => {
    const mark = randomUUID();
    const { pid, status, stdout } = await bench(['enumerate', '--quick'], mark, 'SIGINT');
    expect([status, stdout]).toEqual([130, '']);
    expect(processesWith(mark)).toEqual([]);
    expect(directoriesOf(pid)).toEqual([]);
  });

  it('leaves no process behind when it is killed', async () => {
    const mark = randomUUID();
    await bench(['enumerate', '--quick'], mark, 'SIGKILL');
    await expect.poll(() => processesWith(mark), { timeout: 10_000 }).toEqual([]);
  });
});

it('says how it is used', async () => {
  expect(await bench(['--help'], randomUUID())).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^usage: pnpm bench enumerate\|/),
  });
});
