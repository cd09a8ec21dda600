import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('health', () => {
  const procmond = {
    component: 'procmond',
    pid: 10,
    startedMs: NOW_MS - 60_000,
    state: 'ok',
    problems: [],
    intervalMs: 30_000,
    lastScan: { timestampMs: NOW_MS - 3000, processes: 99 },
    ledger: { sequence: 12, entryHash: 'ab'.repeat(32) },
  };
  const agent = {
    component: 'sentinelagent',
    pid: 11,
    startedMs: NOW_MS - 60_000,
    state: 'ok',
    problems: [],
    rules: { active: 8 },
    lastCycle: { timestampMs: NOW_MS - 2000, durationMs: 30 },
  };

  it('is ok where everything is', async () => {
    installation.makeEvents([{ pid: 1 }]);
    installation.makeAgent([{}, { severity: 'low' }, { alert_time: NOW_MS - 90_000_000 }]);
    await installation.serve('procmond', { health: procmond });
    await installation.serve('sentinelagent', { health: agent });
    const { status, out } = await installation.run(['health']);
    expect(status).toBe(0);
    const text = out.replaceAll(/\n {15,}/g, ' ');
    expect(text).toContain('SentinelD: ok (everything works)');
    expect(text).toMatch(/procmond {7}ok {11}pid 10, up 60 s, a scan every 30 s, the newest 3 s ago with 99 processes/);
    expect(text).toContain('8 rules active, newest cycle 2 s ago in 30 ms');
    expect(text).toContain('12 entries, the newest is abababababababab…');
    expect(text).toContain('1 high, 1 low (sentinelcli alerts list --since 24h)');
    expect(lines(out).every((line) => line.length <= 80)).toBe(true);
    expect(json((await installation.run(['health', '--json'])).out)).toMatchObject({
      state: 'ok',
      ledger_head: { sequence: 12 },
      alerts_24h: { total: 2, high: 1, low: 1 },
      databases: [{ name: 'events.db', state: 'readable' }, { name: 'agent.db' }, { name: 'ledger.db', state: 'missing', bytes: null }],
    });
  });

  it.each([
    [{ ...agent, state: 'degraded', problems: ['one \u001b[31mthing'] }, 0, 'degraded', '- one \\x1b[31mthing'],
    [{ ...agent, state: 'failing', problems: ['all broken'] }, 1, 'FAILING', '- all broken'],
    [{ ...agent, state: 'splendid', problems: null }, 1, 'UNKNOWN', 'pid 11'],
    [{}, 1, 'UNKNOWN', 'pid unknown'],
    ['text', 1, 'UNKNOWN', 'gave an answer that is none'],
  ])('takes the worst of both: %j', async (said, expectedStatus, word, text) => {
    await installation.serve('procmond', { health: procmond });
    await installation.serve('sentinelagent', { health: said });
    const { status, out } = await installation.run(['health']);
    expect(status).toBe(expectedStatus);
    expect(out).toContain(word);
    expect(out).toContain(text);
  });

  it('fails where a daemon does not run, and says what it could not learn', async () => {
    const { status, out } = await installation.run(['health', '--json']);
    expect(status).toBe(1);
    expect(json(out)).toMatchObject({
      state: 'failing',
      components: [{ component: 'procmond', state: 'not_running', details: null }, { state: 'not_running' }],
      ledger_head: null,
      alerts_24h: null,
    });
    expect((await installation.run(['health'])).out).toMatch(/procmond {7}NOT RUNNING {2}nobody listens/);
  });

  it('shows the age of the newest checkpoint, and mirrors that fail', async () => {
    const ledger = {
      sequence: 12,
      entryHash: 'ab'.repeat(32),
      keyId: '0a0b0c0d',
      checkpoint: { epoch: 2, treeSize: 9, timestampMs: NOW_MS - 40_000 },
      mirrors: [
        { path: '/m/1', treeSize: 9, failure: null },
        { path: '/m/\u001b[2J', treeSize: null, failure: 'the disk is full (ENOSPC)' },
      ],
      pending: 0,
    };
    await installation.serve('procmond', { health: { ...procmond, ledger } });
    const { out } = await installation.run(['health']);
    expect(out).toContain('ledger         12 entries, the newest is abababababababab…\n');
    expect(out).toContain('               checkpoint 40 s ago, 3 entries since, signed by key 0a0b0c0d\n');
    expect(out).toContain('               1 mirror takes checkpoints\n');
    expect(out).toContain('               mirror /m/\\x1b[2J FAILS: the disk is full (ENOSPC)\n');
  });

  it.each([
    [{ checkpoint: null }, 'no checkpoint yet'],
    [{ checkpoint: 'x', mirrors: 'none' }, 'no checkpoint yet'],
  ])('takes what another release says of the ledger: %j', async (said, text) => {
    await installation.serve('procmond', { health: { ...procmond, ledger: { ...procmond.ledger, ...said } } });
    expect((await installation.run(['health'])).out).toContain(text);
  });

  describe('of the collection', () => {
    const coverage = { tier: 'kernel', execs: 0, exits: 0, lost: 0, overruns: 0, argvMissed: 0, dropped: 0, stored: 0 };
    const collection = {
      events: {
        tier: 'kernel',
        reasons: [],
        total: { ...coverage, execs: 1204, exits: 1187, lost: 7, dropped: 3, overruns: 2, argvMissed: 40 },
        queued: 5,
        spilled: 4,
      },
      budget: {
        level: 1,
        word: 'interval_doubled',
        cpuPercent: 4.94,
        rssBytes: 64 * 2 ** 20,
        limits: { cpuPercent: 5, memoryBytes: 2 ** 27 },
      },
      storage: { sizeBytes: 34 * 2 ** 20, walBytes: 2 ** 20, paused: null, oldestScanMs: NOW_MS - 259_200_000 },
      hashing: { pending: 3, paused: true },
    };
    const page = async (said: unknown): Promise<string> => {
      await installation.serve('procmond', { health: said });
      await installation.serve('sentinelagent', { health: agent });
      const { out } = await installation.run(['health']);
      expect(lines(out).filter((line) => line.length > 80)).toEqual([]);
      return out.replaceAll(/\n {15,}/g, ' ');
    };

    it('shows events, budget, storage and hashing', async () => {
      const lastScan = { timestampMs: NOW_MS - 3000, processes: 99, events: { ...coverage, execs: 12, exits: 11, lost: 1 } };
      const text = await page({ ...procmond, lastScan, collection });
      expect(text).toContain(
        "events         from the kernel's process connector last interval: 23 seen, 1 lost, 0 dropped since the start: 2391 seen, 7 lost, 3 dropped, 40 without arguments, 2 overruns 5 wait to be stored, 4 were spilled to disk\n",
      );
      expect(text).toContain('budget         level 1 (interval doubled), 4.9 % of 5 % of a core, memory 64.0 MiB of 128 MiB\n');
      expect(text).toContain('storage        events.db 34.0 MiB, its log 1.0 MiB, the oldest scan is 3 days old\n');
      expect(text).toContain('hashing        3 executables wait, paused\n');
    });

    it('says why there are no events, and why storing is paused, whoever chose the words', async () => {
      const reason = 'the log has 70 MiB: pid 123 (py\u001b[2Jthon3) reads an old state';
      const text = await page({
        ...procmond,
        collection: {
          ...collection,
          events: { tier: 'off', reasons: ['CAP_NET_ADMIN is missing'], total: coverage, queued: 0, spilled: 0 },
          storage: { ...collection.storage, paused: { reason, sinceMs: NOW_MS - 300_000 } },
        },
      });
      expect(text).toContain('events         none: processes are found by scans alone CAP_NET_ADMIN is missing\n');
      expect(text).toContain('PAUSED for 5 min: the log has 70 MiB: pid 123 (py\\x1b[2Jthon3) reads an old state\n');
    });

    it.each([[undefined], [null], ['x'], [{}], [{ events: 5, budget: [], storage: null, hashing: { pending: 'many' } }]])(
      'leaves out what an older daemon does not say: %j',
      async (said) => {
        const text = await page({ ...procmond, collection: said });
        expect(text).not.toMatch(/^(events|budget|storage|hashing) {2}/m);
        expect(text).toContain('a scan every 30 s');
      },
    );

    it('passes it on whole as JSON', async () => {
      await installation.serve('procmond', { health: { ...procmond, collection } });
      const { out } = await installation.run(['health', '--json']);
      expect(json(out)).toMatchObject({ components: [{ component: 'procmond', details: { collection } }, {}] });
    });
  });
});
