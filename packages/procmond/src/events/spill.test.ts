import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessEvent } from '@sentineld/model/process-event';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exec, pids, range } from './fixtures/events.fixture.ts';
import { openSpill, type SpillFiles, type SpillProblem } from './spill.ts';

const LIMIT = 16 * 1024 * 1024;

let root = '';
let directory = '';
let problems: SpillProblem[] = [];
const opened: SpillFiles[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sentineld-spill-'));
  directory = join(root, 'spill');
  problems = [];
});
afterEach(() => {
  for (const spill of opened.splice(0)) spill.close();
  rmSync(root, { recursive: true });
});

function open(limitBytes = LIMIT, at = directory): SpillFiles {
  const spill = openSpill({ directory: at, limitBytes, onProblem: (problem) => problems.push(problem) });
  opened.push(spill);
  return spill;
}

const write = (spill: SpillFiles, from: number, to: number): boolean[] => range(from, to).map((pid) => spill.append(exec(pid)));
const read = (spill: SpillFiles, max = 100_000): number[] => pids(spill.read(max).map(({ event }) => event));
const segments = (): string[] => readdirSync(directory).filter((name) => name.endsWith('.spill'));
const segmentPath = (index = 0): string => join(directory, segments()[index] ?? '');
const kinds = (): string[] => problems.map(({ kind }) => kind);

describe('what was written', () => {
  test('is read in order, once, as it was', () => {
    const spill = open();
    const hostile = exec(3, { command: { name: 'a\nb', exePath: '/\u0000\ud800', argv: ['\r\n', '\u{10ffff}', ''], redacted: 2 } });
    const events: ProcessEvent[] = [exec(1), exec(2, { ppid: null, command: null, parent: null }), hostile];
    for (const event of events) expect(spill.append(event)).toBe(true);
    expect(spill.waiting()).toBe(3);
    expect(spill.read(2).map(({ event }) => event)).toEqual(events.slice(0, 2));
    expect(spill.read(2)).toEqual([{ sequence: 3, event: hostile }]);
    expect([spill.read(2), spill.waiting()]).toEqual([[], 0]);
    expect(problems).toEqual([]);
  });

  test('is read by the next run where it was not confirmed, with the numbers that it had', () => {
    const first = open();
    write(first, 1, 30);
    read(first, 20);
    first.confirm(7);
    const second = open();
    expect(second.waiting()).toBe(23);
    write(second, 31, 40);
    const again = second.read(100);
    expect(again.map(({ sequence }) => sequence)).toEqual(range(8, 40));
    expect(pids(again.map(({ event }) => event))).toEqual(range(8, 40));
    second.confirm(40);
    const third = open();
    expect([third.waiting(), segments()]).toEqual([0, []]);
    // Numbers are not used again.
    write(third, 41, 41);
    expect(third.read(1).map(({ sequence }) => sequence)).toEqual([41]);
  });

  test('lies in files of limited size, each removed when all of it is stored', () => {
    const spill = open(1024 * 1024);
    write(spill, 1, 1000);
    const all = segments().length;
    expect(all).toBeGreaterThan(4);
    expect(segments().every((name) => statSync(join(directory, name)).size < 70_000)).toBe(true);
    const batch = spill.read(500);
    expect(segments()).toHaveLength(all);
    spill.confirm(batch[249]?.sequence ?? 0);
    expect(segments().length).toBeLessThan(all);
    expect(read(spill)).toEqual(range(501, 1000));
    spill.confirm(1000);
    expect([segments(), spill.counts().bytes]).toEqual([[], 0]);
    write(spill, 1001, 1002);
    expect(read(spill)).toEqual([1001, 1002]);
  });

  test('belongs to this user and may be read by the group', () => {
    write(open(), 1, 1);
    expect([directory, segmentPath(), join(directory, 'cursor')].map((path) => statSync(path).mode & 0o7777)).toEqual([
      0o750, 0o640, 0o640,
    ]);
  });
});

describe('damage', () => {
  test('a torn last record is counted with its bytes, and its number is not used again', () => {
    write(open(), 1, 10);
    truncateSync(segmentPath(), statSync(segmentPath()).size - 5);
    const spill = open();
    expect(spill.waiting()).toBe(10);
    write(spill, 11, 12);
    expect(read(spill)).toEqual([...range(1, 9), 11, 12]);
    expect(spill.counts()).toMatchObject({ damaged: 1, written: 2 });
    expect(spill.counts().damagedBytes).toBeGreaterThan(100);
    expect(kinds()).toEqual(['damaged']);
    spill.confirm(12);
    expect(segments()).toEqual([]);
  });

  test('nothing but a torn record is cleared away without a confirmation', () => {
    write(open(), 1, 1);
    truncateSync(segmentPath(), 20);
    const spill = open();
    expect(read(spill)).toEqual([]);
    expect([spill.waiting(), spill.counts().damaged, segments()]).toEqual([0, 1, []]);
    expect(open().waiting()).toBe(0);
  });

  test('a flipped bit anywhere costs the events that it is in, never gives a wrong one, and is counted exactly', () => {
    const spill = open();
    write(spill, 1, 5);
    const whole = readFileSync(segmentPath());
    const [name] = segments();
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      const copy = join(root, `copy-${at}`);
      mkdirSync(copy);
      writeFileSync(join(copy, name ?? ''), damaged);
      const victim = open(LIMIT, copy);
      const events = victim.read(100).map(({ event }) => event);
      expect(events.every((event) => range(1, 5).some((pid) => JSON.stringify(exec(pid)) === JSON.stringify(event)))).toBe(true);
      expect(events.length).toBeGreaterThanOrEqual(3);
      // A break in the last line is two lines that are none.
      expect([0, 1]).toContain(events.length + victim.counts().damaged - 5);
      expect(victim.counts().damagedBytes).toBeGreaterThan(0);
      expect(victim.waiting()).toBe(0);
      victim.close();
      opened.pop();
    }
  });

  test('a file that is gone, is empty or holds anything else costs its own events alone', () => {
    const spill = open(1024 * 1024);
    write(spill, 1, 1000);
    const [, second = '', third = '', fourth = '', fifth = ''] = segments();
    const firstOf = (name: string): number => Number.parseInt(name, 10);
    rmSync(join(directory, second));
    writeFileSync(join(directory, third), '');
    writeFileSync(join(directory, fourth), randomBytes(100_000));
    const again = open(1024 * 1024);
    expect(read(again)).toEqual([...range(1, firstOf(second) - 1), ...range(firstOf(fifth), 1000)]);
    expect(again.counts().damaged).toBe(firstOf(fifth) - firstOf(second));
    expect(again.counts().damagedBytes).toBe(100_000);
  });

  test('without the cursor everything that is there is offered again', () => {
    const spill = open();
    write(spill, 1, 10);
    read(spill);
    spill.confirm(6);
    writeFileSync(join(directory, 'cursor'), 'x'.repeat(68));
    expect(read(open())).toEqual(range(1, 10));
    expect(kinds()).toEqual(['damaged']);
  });

  test('what the store has is not offered again, and its numbers are not used again', () => {
    const openKnowing = (storedUpTo: number | null, at = directory): SpillFiles => {
      const spill = openSpill({ directory: at, limitBytes: LIMIT, storedUpTo, onProblem: (problem) => problems.push(problem) });
      opened.push(spill);
      return spill;
    };
    const spill = open();
    write(spill, 1, 10);
    read(spill);
    spill.confirm(4);
    // Killed after the store had up to 7, and before that was confirmed here.
    expect(read(openKnowing(7))).toEqual([8, 9, 10]);
    expect(read(openKnowing(null))).toEqual([8, 9, 10]);
    // The store was put back to an older state, or these files were lost.
    expect(read(openKnowing(2))).toEqual([8, 9, 10]);
    const lost = openKnowing(500, join(root, 'lost'));
    write(lost, 1, 1);
    expect(lost.read(10).map(({ sequence }) => sequence)).toEqual([501]);
  });

  test('half of the cursor is enough for all but the newest confirmation', () => {
    const spill = open();
    write(spill, 1, 10);
    read(spill);
    spill.confirm(6);
    spill.confirm(7);
    const cursor = readFileSync(join(directory, 'cursor'));
    for (const at of [0, 40]) {
      const damaged = Buffer.from(cursor);
      damaged[at] = 0;
      writeFileSync(join(directory, 'cursor'), damaged);
      expect([7, 8]).toContain(read(open())[0]);
    }
    expect(problems).toEqual([]);
  });
});

describe('limits', () => {
  test('at the limit events are refused and counted, told once, and taken again when there is room', () => {
    const spill = open(100_000);
    const taken = write(spill, 1, 1000).filter(Boolean).length;
    expect(taken).toBeGreaterThan(100);
    expect(spill.counts()).toMatchObject({ written: taken, refused: 1000 - taken });
    expect(segments().reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)).toBe(spill.counts().bytes);
    expect(spill.counts().bytes).toBeLessThanOrEqual(100_000);
    expect(kinds()).toEqual(['limit']);
    expect(read(spill)).toEqual(range(1, taken));
    spill.confirm(taken);
    expect(spill.append(exec(2000))).toBe(true);
    expect(read(spill)).toEqual([2000]);
  });

  test('a directory that is not this user’s alone is refused', () => {
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    expect(() => open()).toThrow(expect.objectContaining({ code: 'state.unusable' }));
    rmSync(directory, { recursive: true });
    symlinkSync(root, directory);
    expect(() => open()).toThrow(expect.objectContaining({ code: 'state.unusable' }));
    expect(() => open(LIMIT, join(root, 'missing', 'spill'))).toThrow(/cannot be used/);
  });

  test('what lies beside is left alone', () => {
    write(open(), 1, 1);
    appendFileSync(join(directory, 'notes.txt'), 'x');
    appendFileSync(join(directory, '12.spill'), 'x');
    const spill = open();
    read(spill);
    spill.confirm(1);
    expect(readdirSync(directory).toSorted()).toEqual(['12.spill', 'cursor', 'notes.txt']);
  });

  test.skipIf(process.geteuid?.() !== 0)(
    'on a full disk events are refused and counted, told once, and what was written stays (needs root, to mount a small tmpfs)',
    () => {
      const small = join(root, 'small');
      mkdirSync(small);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
      try {
        const spill = open(LIMIT, join(small, 'spill'));
        const taken = write(spill, 1, 2000).filter(Boolean).length;
        expect(taken).toBeGreaterThan(100);
        expect(spill.counts()).toMatchObject({ written: taken, refused: 2000 - taken });
        expect(kinds()).toEqual(['write']);
        expect(read(spill, taken - 10)).toEqual(range(1, taken - 10));
        spill.confirm(taken - 10);
        spill.close();
        opened.pop();
        const again = open(LIMIT, join(small, 'spill'));
        expect(read(again)).toEqual(range(taken - 9, taken));
        again.confirm(taken);
        expect([again.append(exec(5000)), again.counts().damaged]).toEqual([true, 0]);
        again.close();
        opened.pop();
      } finally {
        execFileSync('umount', ['-l', small]);
      }
    },
  );
});

/** How often a child is killed; a longer campaign asks for more. */
const KILLS = Number(process.env['SENTINELD_SPILL_KILLS'] ?? 20);

describe('kill -9', () => {
  const CHILD = new URL('fixtures/spill-child.fixture.ts', import.meta.url).pathname;

  /** Starts the child, kills it after so many lines, and gives the newest event that it said to be written. */
  async function runAndKill(store: string, lines: number, leave: number): Promise<number> {
    const child = spawn(process.execPath, ['--conditions=sentineld-source', CHILD, directory, store, String(leave)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let errors = '';
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.split('\n').length > lines) child.kill('SIGKILL');
    });
    const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_code, by) => resolve(by)));
    expect([signal, errors]).toEqual(['SIGKILL', '']);
    return Math.max(0, ...[...said.matchAll(/^w (\d+)$/gm)].map((match) => Number(match[1])));
  }

  test(
    `at any of ${KILLS} moments loses nothing that was written, and repeats one batch at most`,
    async () => {
      const store = join(root, 'stored');
      writeFileSync(store, '');
      let state = 20_241;
      const random = (below: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return (state >>> 8) % below;
      };
      for (let kill = 0; kill < KILLS; kill++) {
        const newest = await runAndKill(store, 2 + random(1500), random(10));
        const rest = open();
        const kept = [...readFileSync(store, 'utf8').trimEnd().split('\n').filter(Boolean).map(Number), ...read(rest)];
        rest.close();
        opened.pop();
        // In order and without a gap; where one is repeated, the run goes on from there.
        const steps = kept.map((pid, index) => pid - (kept[index - 1] ?? 0));
        expect(steps.filter((step) => step > 1 || step < -1000)).toEqual([]);
        // The store is that of all runs so far: once for each kill, and once for what is read here.
        expect(steps.filter((step) => step < 1).length).toBeLessThanOrEqual(kill + 1);
        expect(new Set(kept).size).toBe(kept.length === 0 ? 0 : Math.max(...kept));
        expect(Math.max(...kept, 0)).toBeGreaterThanOrEqual(newest);
      }
      // A kill between two writes leaves no damage; one inside a write would leave one record, which is skipped.
      expect(problems.every(({ kind }) => kind === 'damaged')).toBe(true);
    },
    KILLS * 20_000,
  );
});
