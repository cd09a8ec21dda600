import { describe, expect, it } from 'vitest';
import { collectGarbage, DAEMON_NODE_FLAGS, daemonNodeArguments, hasDaemonFlags, keepSmall } from './node-flags.ts';

describe('daemonNodeArguments', () => {
  it('keeps what was given and adds what is missing, once', () => {
    const [first = ''] = DAEMON_NODE_FLAGS;
    const all = daemonNodeArguments(['--conditions=source', first]);
    expect(all).toEqual(['--conditions=source', first, ...DAEMON_NODE_FLAGS.slice(1)]);
    expect(daemonNodeArguments(all)).toEqual(all);
    expect([hasDaemonFlags([]), hasDaemonFlags([first]), hasDaemonFlags(all)]).toEqual([false, false, true]);
  });
});

describe('collectGarbage', () => {
  it('says whether it could', () => {
    expect(collectGarbage()).toBe(globalThis.gc !== undefined);
  });
});

describe('keepSmall', () => {
  it('is taken by a V8 that runs', () => {
    keepSmall();
    expect(Array.from({ length: 1000 }, (_, at) => ({ at })).at(-1)).toEqual({ at: 999 });
  });
});
