import { chmodSync, linkSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endProgram, startProgram, type Program } from './fixtures/program.fixture.ts';
import { bootId, startTicksOf } from './process-identity.ts';
import { readHolder, takeStateLock, type LockHolder } from './state-lock.ts';

const CHILD = new URL('fixtures/take-lock.fixture.ts', import.meta.url);
const NOW = Date.UTC(2030, 0, 1);

let directory = '';
let path = '';
const programs: Program[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-lock-'));
  path = join(directory, 'x.lock');
});
afterEach(async () => {
  await Promise.all(programs.splice(0).map(endProgram));
  rmSync(directory, { recursive: true });
});

async function start(): Promise<Program> {
  const program = startProgram(CHILD);
  programs.push(program);
  expect(await program.line()).toBe('ready');
  return program;
}

function ask(program: Program, line: string): Promise<string> {
  program.write(line);
  return program.line();
}

const own = (): LockHolder => ({ pid: process.pid, startTicks: startTicksOf(process.pid), bootId: bootId(), program: 'other', sinceMs: 1 });

describe('takeStateLock', () => {
  it('names the holder in the file, and leaves nothing behind when it is released', () => {
    const lock = takeStateLock(path, 'procmond', NOW);
    expect(readHolder(path)).toEqual({ ...own(), program: 'procmond', sinceMs: NOW });
    expect(readdirSync(directory)).toEqual(['x.lock']);
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
    lock.release();
  });

  it('tells a second taker who has it, and since when', async () => {
    const child = await start();
    expect(await ask(child, `take ${path} 0`)).toBe('won');
    expect(() => takeStateLock(path, 'procmond', NOW)).toThrow(
      expect.objectContaining({
        code: 'state.held',
        message: `${path} is held by fixture, pid ${child.pid}`,
        why: expect.stringMatching(/^it runs since 2\d{3}-/),
        hint: expect.stringContaining(`kill ${child.pid}`),
        context: { pid: child.pid, path },
      }),
    );
    expect(readdirSync(directory)).toEqual(['x.lock']);
    expect(await ask(child, 'release')).toBe('released');
    takeStateLock(path, 'procmond').release();
  });

  it('refuses the process that has it already', () => {
    const lock = takeStateLock(path, 'procmond');
    expect(() => takeStateLock(path, 'procmond')).toThrow(expect.objectContaining({ context: { pid: process.pid, path } }));
    lock.release();
  });

  it('takes over from a process that was killed', async () => {
    const child = await start();
    expect(await ask(child, `take ${path} 0`)).toBe('won');
    await endProgram(child);
    expect(readHolder(path)?.pid).toBe(child.pid);
    const lock = takeStateLock(path, 'procmond');
    expect(readHolder(path)?.pid).toBe(process.pid);
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each<[string, Partial<LockHolder> | string]>([
    ['another boot', { bootId: '0c1d0f6e-0000-4000-8000-000000000000' }],
    ['a pid that another process has now', { startTicks: 1 }],
    ['a process without a start time', { startTicks: null }],
    ['a pid that nobody has', { pid: 2 ** 22 + 1 }],
    ['nobody', ''],
    ['half a line', '{"pid":'],
    ['text', 'procmond 17\n'],
    ['a wrong shape', '{"pid":"1","startTicks":1,"bootId":"","program":"","sinceMs":0}'],
    ['bytes that are no text', '\u00ff\u0000\u00fe'],
  ])('takes over a lock of %s', (_what, holder) => {
    writeFileSync(path, typeof holder === 'string' ? Buffer.from(holder, 'latin1') : JSON.stringify({ ...own(), ...holder }));
    const lock = takeStateLock(path, 'procmond', NOW);
    expect(readHolder(path)?.sinceMs).toBe(NOW);
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('does not take over while another does, unless that one is dead', () => {
    writeFileSync(path, JSON.stringify({ ...own(), startTicks: 1 }));
    const guard = `${path}.takeover`;
    writeFileSync(guard, JSON.stringify(own()));
    expect(() => takeStateLock(path, 'procmond')).toThrow(
      expect.objectContaining({ code: 'state.held', context: { pid: process.pid, path } }),
    );
    writeFileSync(guard, JSON.stringify({ ...own(), startTicks: 1 }));
    takeStateLock(path, 'procmond').release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('gives up where nothing helps', () => {
    writeFileSync(path, 'garbage');
    writeFileSync(`${path}.takeover`, 'garbage');
    expect(() => takeStateLock(path, 'procmond')).toThrow(expect.objectContaining({ code: 'state.held', hint: 'start one at a time' }));
    expect(readFileSync(path, 'utf8')).toBe('garbage');
  });

  it('releases its own lock alone', () => {
    const lock = takeStateLock(path, 'procmond');
    rmSync(path);
    writeFileSync(path, JSON.stringify({ ...own(), startTicks: 1 }));
    lock.release();
    expect(readHolder(path)?.startTicks).toBe(1);
  });

  it.skipIf(process.getuid?.() === 0)('says so where the directory may not be written (needs an unprivileged user)', () => {
    chmodSync(directory, 0o500);
    expect(() => takeStateLock(path, 'procmond')).toThrow(expect.objectContaining({ code: 'state.unusable', hint: expect.any(String) }));
    chmodSync(directory, 0o700);
  });

  it('says so where the directory is missing', () => {
    expect(() => takeStateLock(join(directory, 'none/x.lock'), 'procmond')).toThrow(expect.objectContaining({ code: 'state.unusable' }));
  });
});

describe('processes that start at once', () => {
  /** One round: all try at the same moment; gives back how many won, and lets them go. */
  async function race(children: readonly Program[]): Promise<readonly string[]> {
    const atMs = Date.now() + 5;
    const answers = await Promise.all(children.map((child) => ask(child, `take ${path} ${atMs}`)));
    const winners = children.filter((_child, index) => answers[index] === 'won');
    await Promise.all(winners.map((child) => ask(child, 'release')));
    return answers;
  }

  it('two: one gets a free lock, twenty times', async () => {
    const children = [await start(), await start()];
    for (let round = 0; round < 20; round++) {
      const answers = await race(children);
      const winner = children[answers.indexOf('won')];
      expect(answers.toSorted()).toEqual([`held ${winner?.pid}`, 'won']);
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  it('four: one gets a lock whose holder died, twenty times each way that it was left', async () => {
    const children = await Promise.all([start(), start(), start(), start()]);
    for (let round = 0; round < 40; round++) {
      writeFileSync(path, round % 2 === 0 ? JSON.stringify({ ...own(), startTicks: 1 }) : 'garbage');
      const answers = await race(children);
      expect(answers.filter((answer) => answer === 'won')).toHaveLength(1);
    }
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('readHolder', () => {
  it('gives null for no file, a directory and a lock in the making', () => {
    expect(readHolder(path)).toBeNull();
    expect(readHolder(directory)).toBeNull();
  });

  it('reads through a link, as the lock is put in place', () => {
    writeFileSync(join(directory, 'draft'), JSON.stringify(own()));
    linkSync(join(directory, 'draft'), path);
    expect(readHolder(path)).toEqual(own());
  });
});
