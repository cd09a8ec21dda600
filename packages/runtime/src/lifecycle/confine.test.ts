import { rmSync } from 'node:fs';
import { loadNative } from '@sentineld/native/addon';
import { afterEach, describe, expect, it } from 'vitest';
import { endProgram, startProgram, type Program } from './fixtures/program.fixture.ts';

const CONFINED = new URL('fixtures/confined.fixture.ts', import.meta.url);
const addon = loadNative();
if (!addon.available) console.log(`confine.test.ts: ${addon.reason}: nothing is confined`);

const programs: Program[] = [];
afterEach(async () => {
  await Promise.all(programs.splice(0).map(endProgram));
});

type Report = {
  readonly pids: readonly number[];
  readonly arguments: readonly string[];
  readonly held: unknown;
  readonly results: Record<string, string>;
};

async function confined(kind: 'daemon' | 'executor' | 'spawner'): Promise<Report> {
  const program = startProgram(CONFINED, [kind, 'two words', ''], { env: { NOTIFY_SOCKET: '' } });
  programs.push(program);
  const report = JSON.parse(await program.line()) as Report;
  // A process that may not write cannot remove its own directory.
  if (kind !== 'daemon') rmSync(await program.line(), { recursive: true });
  expect(await program.ended).toEqual({ status: 0, signal: null, stderr: '' });
  // It replaced itself to be rid of its io_uring, and is the same process with the same arguments.
  expect(report.pids).toEqual([program.pid, program.pid]);
  expect(report.arguments).toEqual([kind, 'two words', '']);
  return report;
}

describe.skipIf(!addon.available)('a confined process (needs the addon)', () => {
  it('as a daemon goes on with timers, files and Unix sockets, and has no internet, programs or word to others', async () => {
    const report = await confined('daemon');
    expect(report.held).toBeNull();
    expect(report.results).toEqual({
      timer: 'ok',
      read: 'ok',
      write: 'ok',
      unixSocket: 'ok',
      internetSocket: 'EAFNOSUPPORT',
      program: 'EPERM',
      ownSignal: 'ok',
      otherSignal: 'EPERM',
      manyFiles: 'ok',
    });
  });

  it('as an executor can only read and compute', async () => {
    const report = await confined('executor');
    expect(report.held).toMatchObject({ confined: true });
    expect(JSON.stringify(report.held)).not.toContain('not held');
    expect(report.results).toEqual({
      timer: 'ok',
      read: 'ok',
      write: 'EPERM',
      unixSocket: 'EAFNOSUPPORT',
      internetSocket: 'EAFNOSUPPORT',
      program: 'EPERM',
      ownSignal: 'ok',
      otherSignal: 'EPERM',
      manyFiles: 'EMFILE',
    });
  });

  it('as a spawner can start and end programs, and write nothing', async () => {
    const report = await confined('spawner');
    expect(report.held).toMatchObject({ confined: true });
    const otherwise = { write: 'EPERM', internetSocket: 'EAFNOSUPPORT' };
    expect(report.results).toEqual(
      Object.fromEntries(Object.keys(report.results).map((name) => [name, name in otherwise ? otherwise[name as never] : 'ok'])),
    );
  });
});
