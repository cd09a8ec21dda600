import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { noticeOf } from './fixtures/checkpoints.fixture.ts';
import { createFakes } from './fixtures/fakes.fixture.ts';
import { createMirrors, mirrorProblems } from './ledger-mirror.ts';
import type { MirrorResult } from './mirror-file.ts';

const HOUR = Date.parse('2026-01-01T10:00:00Z');
const FULL: MirrorResult = { ok: false, errno: 'ENOSPC', why: 'the disk is full' };

beforeEach(() => void vi.useFakeTimers({ now: HOUR }));
afterEach(() => vi.useRealTimers());

/** Mirrors /a and /b; `answers` says what becomes of a write to one that is not fine. */
function create() {
  const answers = new Map<string, MirrorResult>();
  const written: [string, number, string][] = [];
  const fakes = createFakes();
  const mirrors = createMirrors({
    paths: ['/a', '/b'],
    clock: Date.now,
    log: fakes.log,
    append: (path, seenMs, note) => {
      const answer = answers.get(path) ?? { ok: true };
      if (answer.ok) written.push([path, seenMs, note]);
      return answer;
    },
  });
  const sizesOf = (path: string): unknown[] => written.filter(([at]) => at === path).map(([, , note]) => Number(note.split('\n')[1]));
  return { mirrors, answers, written, sizesOf, fakes };
}

describe('mirrors', () => {
  it('get every checkpoint of an epoch with entries, and of empty ones the first of each hour', () => {
    const { mirrors, written, sizesOf } = create();
    const at = (epoch: number, treeSize: number, timestampMs: number): void => mirrors.write(noticeOf(epoch, treeSize, { timestampMs }));
    at(1, 5, HOUR);
    at(2, 5, HOUR + 60_000);
    at(3, 6, HOUR + 120_000);
    at(4, 6, HOUR + 3_599_999);
    at(5, 6, HOUR + 3_600_000);
    at(6, 6, HOUR + 3_660_000);
    expect([sizesOf('/a'), sizesOf('/b')]).toEqual([
      [5, 6, 6],
      [5, 6, 6],
    ]);
    expect(written[0]).toEqual(['/a', HOUR, noticeOf(1, 5, { timestampMs: HOUR }).note]);
    expect(mirrors.health()).toEqual([
      { path: '/a', treeSize: 6, failure: null },
      { path: '/b', treeSize: 6, failure: null },
    ]);
  });

  it('that fail are named with the reason and since when, and keep the others from nothing', () => {
    const { mirrors, answers, sizesOf, fakes } = create();
    expect(mirrorProblems(mirrors.health())).toEqual([]);
    answers.set('/a', FULL);
    mirrors.write(noticeOf(1, 5));
    vi.setSystemTime(HOUR + 60_000);
    mirrors.write(noticeOf(2, 6));
    const failure = 'ENOSPC since 2026-01-01T10:00:00.000Z: the disk is full';
    expect(mirrors.health()).toEqual([
      { path: '/a', treeSize: null, failure },
      { path: '/b', treeSize: 6, failure: null },
    ]);
    expect(mirrorProblems(mirrors.health())).toEqual([`the mirror /a takes no checkpoints: ${failure}`]);
    expect(sizesOf('/b')).toEqual([5, 6]);
    // Once for each reason, not with every checkpoint.
    expect(fakes.logged).toEqual([
      { level: 'warn', name: 'mirror.failed', fields: { path: '/a', errno: 'ENOSPC', error: 'the disk is full' } },
    ]);
    answers.set('/a', { ok: false, errno: 'EROFS', why: 'read-only' });
    mirrors.write(noticeOf(3, 7));
    expect(fakes.logged.map(({ name }) => name)).toEqual(['mirror.failed', 'mirror.failed']);
  });

  it('that work again get the newest checkpoint, without waiting for the next', () => {
    const { mirrors, answers, sizesOf, fakes } = create();
    mirrors.start();
    answers.set('/a', FULL);
    for (const epoch of [1, 2, 3]) mirrors.write(noticeOf(epoch, epoch));
    vi.advanceTimersByTime(30_000);
    expect(mirrors.health()[0]).toMatchObject({ treeSize: null, failure: expect.stringContaining('ENOSPC') });
    answers.delete('/a');
    vi.advanceTimersByTime(30_000);
    expect([sizesOf('/a'), sizesOf('/b')]).toEqual([[3], [1, 2, 3]]);
    expect(mirrors.health()[0]).toEqual({ path: '/a', treeSize: 3, failure: null });
    expect(fakes.logged.at(-1)).toEqual({ level: 'info', name: 'mirror.works_again', fields: { path: '/a', treeSize: 3 } });
    mirrors.stop();
    answers.set('/a', FULL);
    mirrors.write(noticeOf(4, 4));
    answers.delete('/a');
    vi.advanceTimersByTime(60_000);
    expect(sizesOf('/a')).toEqual([3]);
    // Nor does one that failed wait for an epoch with entries.
    mirrors.write(noticeOf(5, 4));
    expect(sizesOf('/a')).toEqual([3, 4]);
  });
});
