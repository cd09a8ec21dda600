import { closeSync, fstatSync, openSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { newlyMet, NOT_HELD, type KnownProcess } from './known-process.ts';
import { openStat } from './stat-reader.ts';
import { countsRunTime, hasLostParent, heldStat, refitWatch } from './watched-file.ts';

const opened: KnownProcess[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) if (one.descriptor !== NOT_HELD) closeSync(one.descriptor);
});

/** This very process, with its stat open. */
function watched(threads = 1, descriptor = openStat(process.pid)): KnownProcess {
  const one = newlyMet(process.pid, 1, descriptor);
  one.threads = threads;
  opened.push(one);
  return one;
}

/** What it watches after each of these scans. */
function fits(one: KnownProcess, ...scans: readonly boolean[]): string[] {
  return scans.map((slept) => {
    refitWatch(one, slept);
    return one.watches;
  });
}

describe('countsRunTime', () => {
  it.each([
    ['1560508751 3813361 17\n', true],
    ['0 0 0\n', false],
    ['', false],
  ])('of %j is %s', (text, expected) => expect(countsRunTime(() => text)).toBe(expected));

  it('is false where there is no such file', () => {
    expect(
      countsRunTime(() => {
        throw new Error('ENOENT');
      }),
    ).toBe(false);
  });
});

describe('refitWatch', () => {
  it('takes schedstat for one that sleeps, and stat again for one that works', () => {
    const one = watched();
    const first = one.descriptor;
    expect(fits(one, true, true)).toEqual(['stat', 'stat']);
    expect(fits(one, true)).toEqual(['schedstat']);
    expect([one.watches, heldStat(one)]).toEqual(['schedstat', NOT_HELD]);
    expect(one.descriptor === first || !isOpen(first)).toBe(true);
    one.ranNs = 5;
    expect(fits(one, false, true, false, false)).toEqual(Array(4).fill('schedstat'));
    expect(one.ranNs).toBe(5);
    expect(fits(one, false)).toEqual(['stat']);
    expect(one.ranNs).toBeNaN();
    expect([one.watches, heldStat(one)]).toEqual(['stat', one.descriptor]);
  });

  it('leaves stat open of one with several threads, and opens it again of one that got more', () => {
    const several = watched(2);
    fits(several, ...Array<boolean>(10).fill(true));
    expect(several.watches).toBe('stat');
    const grown = watched();
    grown.watches = 'schedstat';
    grown.threads = 2;
    expect(fits(grown, true, true, true)).toEqual(['schedstat', 'schedstat', 'stat']);
  });

  it('opens nothing of one of which nothing is held, nor of one that is gone', () => {
    const poor = watched(1, NOT_HELD);
    fits(poor, ...Array<boolean>(10).fill(true));
    expect(poor.watches).toBe('stat');
    const gone = newlyMet(4_194_305, 1, openSync('/dev/null', 'r'));
    gone.threads = 1;
    opened.push(gone);
    fits(gone, ...Array<boolean>(10).fill(true));
    expect([gone.watches, isOpen(gone.descriptor)]).toEqual(['stat', true]);
  });
});

describe('hasLostParent', () => {
  const parent = newlyMet(10, 100, NOT_HELD);
  const child = Object.assign(newlyMet(11, 200, NOT_HELD), { ppid: 10 });
  const among = (...known: KnownProcess[]) => new Map(known.map((one) => [one.pid, one]));

  it.each([
    ['that lives', among(parent), false],
    ['as old as the child', among({ ...parent, startTicks: 200 }), false],
    ['that is gone', among(), true],
    ['that is a zombie', among({ ...parent, isZombie: true }), true],
    ['younger than the child', among({ ...parent, startTicks: 201 }), true],
  ])('of a parent %s', (_what, known, expected) => expect(hasLostParent(child, known)).toBe(expected));

  it('is false of a process that never had one', () => expect(hasLostParent({ ...child, ppid: 0 }, among())).toBe(false));
});

function isOpen(descriptor: number): boolean {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
}
