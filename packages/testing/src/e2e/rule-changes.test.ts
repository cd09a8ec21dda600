import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseJson, removeDirectory, startInstallation, temporaryDirectory, type Installation } from './installation.ts';

let directory = '';
let installation: Installation;

const rulePath = (name: string): string => join(directory, 'rules', name);
const head = (id: string, version: number): string =>
  `id: ${id}\nname: Rule ${id}\ndescription: A test.\nseverity: low\ncategory: test\nversion: ${version}\ndedup: [seq]\n`;
/** Of a program that nothing else starts: an alert has no more rows than are kept, and others start many. */
const EXECS = "event = 'exec' AND name = 'sentineld-probe'";
const EVERY_EXEC = `SELECT seq, pid, name FROM process_events WHERE seq > :since_seq AND ${EXECS}\n`;

async function start(): Promise<Installation> {
  const started = startInstallation(join(directory, 's'), [
    '--set', 'collection.interval=500ms', '--set', `detection.rules_dirs=[${join(directory, 'rules')}]`,
  ]); // prettier-ignore
  await started.waitFor(/Alerts follow as they come/);
  return started;
}

beforeAll(async () => {
  directory = temporaryDirectory();
  mkdirSync(join(directory, 'rules'));
  copyFileSync('/bin/true', join(directory, 'sentineld-probe'));
  writeFileSync(rulePath('every-exec.yaml'), head('every-exec', 1));
  writeFileSync(rulePath('every-exec.sql'), EVERY_EXEC);
  installation = await start();
});
afterAll(async () => {
  await installation.stop();
  removeDirectory(directory);
});

type Listed = {
  readonly id: string;
  readonly state: string;
  readonly version: number;
  readonly severity: string;
  readonly override: unknown;
};

function listed(id: string): Listed | undefined {
  return installation.json<{ rules: Listed[] }>('rules', 'list').rules.find((rule) => rule.id === id);
}

function ledger(action: string): readonly Record<string, unknown>[] {
  const rows = installation.json<{ event_data: string }[]>(
    'query',
    `SELECT event_data FROM audit_ledger WHERE action = '${action}' ORDER BY sequence`,
  );
  return rows.map((row) => parseJson<Record<string, unknown>>({ stdout: row.event_data, stderr: '', status: 0 }));
}

function agentPid(): number {
  const { components } = installation.json<{ components: { component: string; details: { pid: number } }[] }>('health');
  const agent = components.find(({ component }) => component === 'sentinelagent');
  if (agent === undefined) throw new Error('health says nothing of the agent');
  return agent.details.pid;
}

describe('rules that change while the agent runs', () => {
  it('are reloaded, and none sees an event twice or not at all', async () => {
    for (let version = 2; version <= 5; version++) {
      writeFileSync(rulePath('every-exec.yaml'), head('every-exec', version));
      for (let at = 0; at < 10; at++) execFileSync(join(directory, 'sentineld-probe'));
      const { status, stdout } = installation.cli('rules', 'reload');
      expect([status, stdout]).toEqual([0, expect.stringMatching(/changed +every-exec +version \d, [0-9a-f]{12} \(was version \d/)]);
    }
    expect(listed('every-exec')?.version).toBe(5);
    const [coverage] = installation.json<{ tier: string }[]>('query', 'SELECT events_tier AS tier FROM coverage LIMIT 1');
    const isWatched = coverage?.tier !== 'off';
    const sql = `SELECT (SELECT count(*) FROM process_events WHERE ${EXECS}) - count(*) AS missed, total(repeats) AS repeats,
      count(*) - count(DISTINCT json_extract(query_result, '$[0].seq')) AS twice, count(*) > 20 AS found FROM alerts WHERE rule_id = 'every-exec'`;
    const expected = [{ missed: 0, repeats: 0, twice: 0, found: isWatched ? 1 : 0 }];
    await expect.poll(() => installation.json('query', sql), { timeout: 45_000 }).toEqual(expected);
  });

  it('stay as they are where one file is broken, also for a signal; the ledger says why', async () => {
    writeFileSync(rulePath('every-exec.yaml'), head('every-exec', 6));
    writeFileSync(rulePath('broken.yaml'), head('broken', 1));
    writeFileSync(rulePath('broken.sql'), '-- two lines\nSELECT seq, nme FROM process_events\n');
    const { status, stdout } = installation.cli('rules', 'reload');
    expect([status, stdout.replaceAll(/\s+/g, ' ')]).toEqual([1, expect.stringMatching(/broken\.sql:2:13: rule broken refused: .*nme/)]);
    process.kill(agentPid(), 'SIGHUP');
    await expect
      .poll(() => ledger('rules_reload').map(({ taken }) => taken), { timeout: 45_000 })
      .toEqual([true, true, true, true, false, false]);
    const [byUser, bySignal] = ledger('rules_reload').slice(-2);
    expect(byUser).toMatchObject({ asked_by: { uid: process.getuid?.() }, problems: { count: 1 } });
    expect(bySignal).toMatchObject({ asked_by: { signal: 'SIGHUP' }, rule_set_sha256_after: byUser?.['rule_set_sha256_before'] });
    expect([listed('every-exec')?.version, listed('broken')]).toEqual([5, undefined]);
  });

  it('keep what operators decided, across a restart of everything', async () => {
    expect(installation.cli('rules', 'set', 'memfd-exec', '--severity', 'low', '--reason', 'known here').status).toBe(0);
    expect(installation.cli('rules', 'disable', 'every-exec', '--reason', 'it is only a test').status).toBe(0);
    expect(installation.cli('rules', 'disable', 'no-such-rule', '--reason', 'x').status).toBe(2);
    await expect.poll(() => ledger('rule_override').length, { timeout: 45_000 }).toBe(2);
    expect(ledger('rule_override')[1]).toMatchObject({
      rule_id: 'every-exec',
      decision: 'disable',
      reason: 'it is only a test',
      asked_by: { uid: process.getuid?.() },
    });
    await installation.stop();
    installation = await start();
    expect(listed('memfd-exec')).toMatchObject({ severity: 'low', override: { severity: 'low', reason: 'known here' } });
    expect(listed('every-exec')).toMatchObject({ state: 'disabled', version: 6 });
    const { history, cost } = installation.json<{ history: unknown[]; cost: { runs: number } }>('rules', 'show', 'memfd-exec', '--history');
    expect([history.length, cost.runs > 0]).toEqual([2, true]);
  });
});
