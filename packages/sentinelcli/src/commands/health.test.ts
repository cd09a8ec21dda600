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
});
