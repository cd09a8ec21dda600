import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startWaiting } from './waiting.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

describe('startWaiting', () => {
  it('says on a terminal what goes on and for how long, and leaves nothing behind', () => {
    const written: string[] = [];
    const waiting = startWaiting({ err: (text) => written.push(text), errIsTty: true }, 'procmond archives');
    vi.advanceTimersByTime(2000);
    waiting.end();
    vi.advanceTimersByTime(5000);
    expect(written).toEqual(['\r\u001b[Kprocmond archives, 1 s', '\r\u001b[Kprocmond archives, 2 s', '\r\u001b[K']);
  });

  it('says nothing into a file, and nothing of what is over at once', () => {
    const written: string[] = [];
    const waiting = startWaiting({ err: (text) => written.push(text), errIsTty: false }, 'x');
    vi.advanceTimersByTime(5000);
    waiting.end();
    startWaiting({ err: (text) => written.push(text), errIsTty: true }, 'x').end();
    expect(written).toEqual([]);
  });
});
