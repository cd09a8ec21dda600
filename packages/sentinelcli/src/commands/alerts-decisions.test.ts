import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SentinelError } from '@sentineld/model/error';
import type { Request } from '@sentineld/model/request';
import { createInstallation, NOW_MS, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const HOUR_MS = 3_600_000;
const json = (text: string): unknown => JSON.parse(text);
const unwrapped = (text: string): string => text.replaceAll(/\n +/g, ' ');
const iso = (ms: number): string => new Date(ms).toISOString();
const row = (pid: number, cmdline: string | null): string => JSON.stringify([{ pid, cmdline, user_id: 0 }]);
const RULE = "INSERT INTO detection_rules (id, severity, dedup_keys) VALUES ('shell-from-service', 'high', '[\"user_id\",\"cmdline\"]')";
const ESCAPE = 'e\u001b[2J';

const SUPPRESSION = {
  id: 3,
  ruleId: 'shell-from-service',
  conditions: [{ column: 'cmdline', value: ESCAPE }, { column: 'user_id', value: null }],
  alertId: 1,
  reason: `known ${ESCAPE}`,
  uid: 1000,
  userName: 'alice',
  createdMs: NOW_MS,
  expiresMs: NOW_MS + HOUR_MS,
  hits: 0,
  lastHitMs: null,
  ended: null,
}; // prettier-ignore

/** Answers, and what was asked. */
async function serve(answers: Parameters<Installation['serve']>[1]): Promise<Request[]> {
  const asked: Request[] = [];
  const noting = Object.entries(answers).map(([name, answer]) => [name, (request: Request) => { asked.push(request); return typeof answer === 'function' ? (answer as () => unknown)() : answer; }]); // prettier-ignore
  await installation.serve('sentinelagent', Object.fromEntries(noting));
  return asked;
}

describe('alerts ack', () => {
  const acknowledgement = { atMs: NOW_MS, uid: 1000, by: 'alice', reason: `ours ${ESCAPE}` };
  const reply = { alerts: [{ id: 2, isNew: true, acknowledgement }, { id: 1, isNew: false, acknowledgement: { ...acknowledgement, uid: 7, by: 'uid 7' } }] }; // prettier-ignore

  it('has the agent mark them, each once, and tells who was first', async () => {
    installation.makeAgent([{}, {}]);
    const asked = await serve({ 'alerts.ack': reply });
    const { status, out } = await installation.run(['alerts', 'ack', 'newest', '1', '2', '--reason', 'ours']);
    expect(asked).toEqual([{ request: 'alerts.ack', ids: [2, 1], again: false, reason: 'ours' }]);
    expect(status).toBe(0);
    expect(unwrapped(out)).toMatch(
      /^2: acknowledged by alice \(uid 1000\) at \S+: ours e\\x1b\[2J\n1: was acknowledged by uid 7 at \S+: ours e\\x1b\[2J; that stays \(--again replaces it\)\n$/,
    );
    expect(json((await installation.run(['alerts', 'ack', '1', '--again', '--reason', 'x', '--json'])).out)).toEqual({
      alerts: [
        { id: 2, new: true, acknowledged: { time: iso(NOW_MS), by: 'alice', uid: 1000, reason: `ours ${ESCAPE}` } },
        { id: 1, new: false, acknowledged: { time: iso(NOW_MS), by: 'uid 7', uid: 7, reason: `ours ${ESCAPE}` } },
      ],
    });
    expect(asked[1]).toMatchObject({ ids: [1], again: true });
  });

  it('is told where alerts are listed, shown and explained', async () => {
    installation.makeAgent([
      { acknowledged_ms: NOW_MS, acknowledged_by: ESCAPE, acknowledged_uid: 7, acknowledged_reason: `ours ${ESCAPE}` },
      {},
    ]);
    const said = { time: iso(NOW_MS), by: ESCAPE, uid: 7, reason: `ours ${ESCAPE}` };
    const { out } = await installation.run(['alerts', 'list']);
    expect(out.split('\n').map((line) => /\bhigh\*? /.exec(line)?.[0])).toEqual([undefined, 'high ', 'high* ', undefined]);
    expect(json((await installation.run(['alerts', 'list', '--json'])).out)).toMatchObject([
      { acknowledged: null },
      { acknowledged: said },
    ]);
    expect(json((await installation.run(['alerts', 'list', '--unacknowledged', '--json'])).out)).toMatchObject([{ id: 2 }]);
    expect((await installation.run(['alerts', 'list', '--unacknowledged'])).out).not.toContain('*');
    for (const command of ['show', 'why']) {
      const told = unwrapped((await installation.run(['alerts', command, '1'])).out);
      expect(told).toMatch(/handled +acknowledged by e\\x1b\[2J \(uid 7\) at \S+ ours e\\x1b\[2J\n/);
      expect((await installation.run(['alerts', command, '2'])).out).not.toContain('handled');
    }
    expect(json((await installation.run(['alerts', 'why', '1', '--json'])).out)).toMatchObject({ alert: { acknowledged: said } });
  });
});

describe('alerts suppress', () => {
  beforeEach(() => {
    installation.makeAgent([
      { query_result: row(1, 'x') },
      { query_result: row(2, 'x'), alert_time: NOW_MS - 8 * 24 * HOUR_MS },
      { query_result: row(3, 'y'), rule_id: 'another' },
      { query_result: JSON.stringify([{ pid: 4, cmdline: 'x', user_id: 0 }, { pid: 5, cmdline: 'z', user_id: 0 }]) },
      { query_result: row(6, 'x'), title: ESCAPE },
      { query_result: row(7, null) },
    ]); // prettier-ignore
    installation.changeDatabase(installation.paths.agentDb, RULE);
  });
  const preview = async (...words: string[]) => (await installation.run(['alerts', 'suppress', ...words, '--preview', '--json'])).out;

  it('shows what it would have hidden in 7 days, without an agent and without changing anything', async () => {
    expect(json(await preview('--alert', '1'))).toEqual({
      suppression: null,
      scope: {
        rule_id: 'shell-from-service',
        conditions: [
          { column: 'user_id', value: '0' },
          { column: 'cmdline', value: 'x' },
        ],
        alert_id: 1,
      },
      preview: {
        since: iso(NOW_MS - 7 * 24 * HOUR_MS),
        alerts: 4,
        hidden: 2,
        newest: [
          { id: 5, time: iso(NOW_MS - 600_000), severity: 'high', title: ESCAPE },
          { id: 1, time: iso(NOW_MS - 600_000), severity: 'high', title: 'Shell below a service: bash (pid 42)' },
        ],
      },
    });
    const { status, out } = await installation.run(['alerts', 'suppress', '--alert', '1', '--preview']);
    expect([status, unwrapped(out)]).toEqual([0, expect.stringMatching(/nothing was changed\n? +where +user_id = "0" cmdline = "x"/)]);
    expect(unwrapped(out)).toMatch(/it would have hidden 2 of the 4 alerts of this rule since \S+ 5 +\S+ +high +e\\x1b\[2J 1 /);
  });

  it.each<[readonly string[], readonly number[]]>([
    [
      ['--rule', 'shell-from-service'],
      [6, 5, 4, 1],
    ],
    [['--rule', 'shell-from-service', '--where', 'pid=6'], [5]],
    [
      ['--rule', 'shell-from-service', '--where', 'user_id=0', '--where', 'cmdline=x'],
      [5, 1],
    ],
    [['--alert', 'newest'], [6]],
    [['--rule', 'shell-from-service', '--where', 'cmdline='], []],
    [['--alert', '1', '--where', 'pid=1'], [1]],
  ])('previews %j', async (words, ids) => {
    expect(json(await preview(...words))).toMatchObject({ preview: { hidden: ids.length, newest: ids.map((id) => ({ id })) } });
  });

  it('names the newest ten of many', async () => {
    const copy = 'UPDATE temp.copy SET id = id + 10; INSERT INTO alerts SELECT * FROM temp.copy;';
    const first = 'CREATE TEMP TABLE copy AS SELECT * FROM alerts WHERE id = 1;';
    installation.changeDatabase(installation.paths.agentDb, `${first} ${copy.repeat(201)}`);
    const { out } = await installation.run(['alerts', 'suppress', '--alert', '1', '--preview']);
    expect(unwrapped(out)).toMatch(/would have hidden 203 of the 205 .* 2011 .*and 193 more/s);
  });

  it('has the agent keep it, and shows the same after it', async () => {
    const asked = await serve({ 'alerts.suppress': { ...SUPPRESSION, conditions: [{ column: 'cmdline', value: 'x' }] } });
    const words = ['alerts', 'suppress', '--alert', '1', '--for', '2h', '--reason', 'known'];
    const { status, out } = await installation.run(words);
    const conditions = [
      { column: 'user_id', value: '0' },
      { column: 'cmdline', value: 'x' },
    ];
    expect(asked).toEqual([
      { request: 'alerts.suppress', ruleId: 'shell-from-service', conditions, alertId: 1, forMs: 2 * HOUR_MS, reason: 'known' },
    ]);
    expect(status).toBe(0);
    for (const part of [
      'shell-from-service, until ',
      'where     cmdline = "x"',
      'made from alert 1',
      'by        alice (uid 1000) at',
      'known e\\x1b[2J',
    ])
      expect(unwrapped(out)).toContain(part);
    expect(unwrapped(out)).toMatch(/hid +nothing so far +before +it would have hidden 2 of the 4 alerts/);
    expect(json((await installation.run([...words, '--json'])).out)).toMatchObject({
      suppression: { id: 3, state: 'holds', expires: iso(NOW_MS + HOUR_MS), hits: 0, last_hit: null, ended: null },
      preview: { alerts: 4, hidden: 2 },
    });
  });

  it('hides nothing critical without a condition, also of a rule that is not', async () => {
    installation.changeDatabase(installation.paths.agentDb, "UPDATE alerts SET severity = 'critical' WHERE id = 1");
    expect(json(await preview('--rule', 'shell-from-service'))).toMatchObject({ preview: { alerts: 4, hidden: 3 } });
    expect(json(await preview('--rule', 'shell-from-service', '--where', 'cmdline=x'))).toMatchObject({ preview: { hidden: 2 } });
  });

  it.each([
    ['usage.invalid', 2, 'sentinelcli rules show ID'],
    ['state.unusable', 4, 'sentinelcli health'],
  ] as const)('is refused by the agent: %s', async (code, status, hint) => {
    await serve({
      'alerts.suppress': () => {
        throw new SentinelError(code, { message: 'no' });
      },
    });
    const ended = await installation.run(['alerts', 'suppress', '--alert', '1', '--for', '1h', '--reason', 'x']);
    expect([ended.status, ended.out, ended.err]).toEqual([status, '', expect.stringContaining(`refuses it\n  no\n  ${hint}`)]);
  });
});

it('says of a database of an earlier release that it is one', async () => {
  installation.makeAgent([{}]);
  const { agentDb } = installation.paths;
  installation.changeDatabase(agentDb, 'ALTER TABLE alerts DROP COLUMN acknowledged_ms; DROP TABLE alert_suppression');
  for (const command of ['list', 'suppressions']) {
    const { status, err } = await installation.run(['alerts', command]);
    expect([status, err]).toEqual([
      4,
      expect.stringContaining('agent.db is of an earlier release\n  sentinelagent of this release takes it'),
    ]);
  }
});

describe('alerts suppressions', () => {
  const COLUMNS =
    'id, rule_id, alert_id, reason, uid, user_name, created_at, expires_at, hits, last_hit, ended_at, ended_uid, ended_by, ended_reason, conditions';
  const values = (...some: readonly (string | number | null)[]): string =>
    `(${some.map((value) => (typeof value === 'string' ? `'${value}'` : String(value ?? 'NULL'))).join(', ')})`;
  beforeEach(() => {
    installation.makeAgent([]);
    installation.changeDatabase(
      installation.paths.agentDb,
      `INSERT INTO alert_suppression (${COLUMNS}) VALUES ${[
        values(1, 'r', null, 'a', 0, 'root', NOW_MS - HOUR_MS, NOW_MS + HOUR_MS, 2, NOW_MS, null, null, null, null, '[]'),
        values(2, 'r', 7, 'b', 1, null, NOW_MS - HOUR_MS, NOW_MS, 0, null, null, null, null, null, '[{"column":"pid","value":"7"}]'),
        values(
          3,
          'r',
          null,
          'c',
          1,
          null,
          NOW_MS - HOUR_MS,
          NOW_MS - 1,
          0,
          null,
          NOW_MS - 1,
          null,
          null,
          null,
          '[{"column":"pid","value":null}]',
        ),
        values(4, 'r', null, 'd', 1, null, NOW_MS, NOW_MS + 1, 1, NOW_MS, NOW_MS, 5, 'eve', 'over', '[]'),
      ].join(', ')}`,
    );
  });

  it('are listed while they hold, and all of them where that is asked for', async () => {
    const { status, out } = await installation.run(['alerts', 'suppressions']);
    expect([status, unwrapped(out)]).toEqual([0, expect.stringMatching(/^1 +r, until \S+ where +every finding of the rule that is not critical by +root \(uid 0\) at \S+ a hid +2 findings, the last at \S+\n$/)]); // prettier-ignore
    const all = (await installation.run(['alerts', 'suppressions', '--all'])).out;
    expect(all.split('\n\n').map((part) => part.slice(0, 1))).toEqual(['4', '3', '2', '1']);
    expect(unwrapped(all)).toMatch(/4 +r, ended .*1 finding, the last at \S+ ended +by eve \(uid 5\) at \S+ over\n/);
    expect(unwrapped(all)).toMatch(/3 +r, expired where +pid is NULL .*its time was over at/);
    expect(json((await installation.run(['alerts', 'suppressions', '--all', '--json'])).out)).toMatchObject([
      { id: 4, state: 'ended', ended: { time: iso(NOW_MS), uid: 5, user_name: 'eve', reason: 'over' } },
      { id: 3, state: 'expired', ended: { uid: null } },
      { id: 2, state: 'expired', alert_id: 7, conditions: [{ column: 'pid', value: '7' }], ended: null },
      { id: 1, state: 'holds', hits: 2, last_hit: iso(NOW_MS) },
    ]);
  });

  it('are none where there is none', async () => {
    installation.changeDatabase(installation.paths.agentDb, 'DELETE FROM alert_suppression');
    expect((await installation.run(['alerts', 'suppressions'])).out).toBe('no suppressions\n');
    expect(json((await installation.run(['alerts', 'suppressions', '--json'])).out)).toEqual([]);
  });

  it('are an error where one of them is damaged', async () => {
    installation.changeDatabase(installation.paths.agentDb, "UPDATE alert_suppression SET conditions = '{' WHERE id = 2");
    const { status, err } = await installation.run(['alerts', 'suppressions']);
    expect([status, err]).toEqual([4, expect.stringContaining('suppression 2 is not in a form that is known')]);
  });

  it('are ended by the agent', async () => {
    const ended = { ...SUPPRESSION, hits: 1, lastHitMs: NOW_MS, ended: { atMs: NOW_MS, uid: 0, userName: null, reason: 'over' } };
    const asked = await serve({ 'alerts.unsuppress': ended });
    const { status, out } = await installation.run(['alerts', 'unsuppress', '3', '--reason', 'over']);
    expect(asked).toEqual([{ request: 'alerts.unsuppress', id: 3, reason: 'over' }]);
    expect([status, unwrapped(out)]).toEqual([0, expect.stringMatching(/^3 +shell-from-service, ended .*user_id is NULL .*ended +by uid 0 at \S+ over\n$/)]); // prettier-ignore
    expect(json((await installation.run(['alerts', 'unsuppress', '3', '--reason', 'over', '--json'])).out)).toMatchObject({
      state: 'ended',
    });
  });
});
