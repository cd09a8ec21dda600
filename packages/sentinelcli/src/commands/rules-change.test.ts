import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SentinelError } from '@sentineld/model/error';
import type { Request } from '@sentineld/model/request';
import { createInstallation, NOW_MS, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);
const refusedAs = (code: 'usage.invalid' | 'query.refused' | 'state.unusable', message: string) => () => {
  throw new SentinelError(code, { message });
};

const none = { count: 0, rules: [] };
const rule = (id: string, was: { version: number; checksum: string } | null = null) => ({
  id,
  version: 2,
  checksum: `${id}0123456789abcdef`,
  was,
});
const RELOADED = {
  taken: true,
  before: 'aa',
  after: 'bb',
  added: { count: 1, rules: [rule('new')] },
  removed: none,
  changed: { count: 51, rules: [rule('old', { version: 1, checksum: 'ffff0123456789abcd' })] },
  unchanged: 9,
  problems: { count: 0, lines: [] },
};

describe('rules reload', () => {
  it('prints what changed, with versions and checksums', async () => {
    await installation.serve('sentinelagent', { 'rules.reload': RELOADED });
    expect(await installation.run(['rules', 'reload'])).toEqual({
      status: 0,
      out: [
        'added    new  version 2, new012345678',
        'changed  old  version 2, old012345678 (was version 1, ffff01234567)',
        'changed  and 50 more',
        'reloaded: 1 added, 0 removed, 51 changed, 9 unchanged',
        '',
      ].join('\n'),
      err: '',
    });
    expect(json((await installation.run(['rules', 'reload', '--json'])).out)).toEqual(RELOADED);
  });

  it('shows why nothing was taken, and ends with 1', async () => {
    const lines = ['/r/a.yaml:3:1: Unknown key "severty". Did you mean "severity"?', '/r/b.yaml:8:1: \u001b[2J'];
    const refused = { ...RELOADED, taken: false, added: none, changed: none, problems: { count: 30, lines } };
    await installation.serve('sentinelagent', { 'rules.reload': refused });
    const { status, out } = await installation.run(['rules', 'reload']);
    expect([status, out]).toEqual([
      1,
      '  - /r/a.yaml:3:1: Unknown key "severty". Did you mean "severity"?\n  - /r/b.yaml:8:1: \\x1b[2J\n  and 28 more, in the log of sentinelagent\nnot reloaded: 30 faults\nThe rules that ran before go on as they were.\n',
    ]);
    expect((await installation.run(['rules', 'reload', '--json'])).status).toBe(1);
  });

  it.each([
    ['another form', { taken: 'yes' }, 'sentinelagent answered rules.reload in a form that is not known'],
    ['a refusal', refusedAs('state.unusable', 'agent.db is full'), 'sentinelagent refuses it\n  agent.db is full\n  sentinelcli health'],
  ])('tells %s as an error', async (_, answer, told) => {
    await installation.serve('sentinelagent', { 'rules.reload': answer });
    const { status, err } = await installation.run(['rules', 'reload']);
    expect([status, err]).toEqual([4, expect.stringContaining(told)]);
  });
});

describe('what operators decide', () => {
  const override = { ruleId: 'a', enabled: false, severity: null, reason: 'noisy\n', uid: 1000, userName: 'alice', decidedMs: NOW_MS };

  it.each([
    [['disable', 'a'], { kind: 'disable' }],
    [['enable', 'a'], { kind: 'enable' }],
    [['set', 'a', '--severity', 'low'], { kind: 'severity', severity: 'low' }],
    [['reset', 'a'], { kind: 'reset' }],
  ])('is asked of the agent with its reason: rules %j', async (words, decision) => {
    const asked: Request[] = [];
    await installation.serve('sentinelagent', {
      'rules.override': (request: Request) => {
        asked.push(request);
        return { ruleId: 'a', override, state: 'disabled', severity: 'high' };
      },
    });
    const { status, out } = await installation.run(['rules', ...words, '--reason', 'noisy']);
    expect(asked).toEqual([{ request: 'rules.override', ruleId: 'a', decision, reason: 'noisy' }]);
    expect([status, out]).toEqual([
      0,
      expect.stringMatching(/^a: disabled, severity high; disabled by alice \(uid 1000\) at \S+: noisy\\n\n$/),
    ]);
    expect(json((await installation.run(['rules', ...words, '--reason', 'noisy', '--json'])).out)).toMatchObject({
      id: 'a',
      state: 'disabled',
      override: { enabled: false, severity: null, uid: 1000, user_name: 'alice', decided_ms: NOW_MS },
    });
  });

  it('is said of a rule that is not there, and of one about which nothing is decided any more', async () => {
    await installation.serve('sentinelagent', { 'rules.override': { ruleId: 'a', override: null, state: null, severity: null } });
    expect((await installation.run(['rules', 'reset', 'a', '--reason', 'x'])).out).toBe(
      'a: there is no such rule now; nothing is decided about it any more\n',
    );
  });

  it.each([
    ['usage.invalid', 'there is no rule b; did you mean a?', 2, 'sentinelcli rules list shows'],
    ['query.refused', 'rule a would not be run: /r/a.yaml:8:1: no', 2, 'mend the rule, then sentinelcli rules reload'],
    ['state.unusable', 'agent.db is full', 4, 'sentinelcli health'],
  ] as const)('is refused by the agent: %s', async (code, message, status, hint) => {
    await installation.serve('sentinelagent', { 'rules.override': refusedAs(code, message) });
    const ended = await installation.run(['rules', 'enable', 'b', '--reason', 'x']);
    expect([ended.status, ended.out, ended.err.split('\n').length]).toEqual([status, '', 4]);
    expect(ended.err).toContain(`sentinelagent refuses it\n  ${message}\n  ${hint}`);
  });
});

describe('what was decided and what rules cost', () => {
  const DECIDED =
    "INSERT INTO rule_override VALUES ('memfd-executable', 0, 'low', 'x\u001b[2J', 1000, NULL, 1767229200000), ('gone', 1, NULL, 'y', 0, 'root', 1767229200000)";
  const COST = "INSERT INTO rule_cost VALUES ('memfd-executable', 4, 9, 2, 8000, 5000, 1, 1767229200000)";
  const VERSION =
    'INSERT INTO detection_rule_versions VALUES (\'memfd-executable\', 1, \'abcdef0123456789\', 1767229100000, 1767229200000, \'{"severity":"high","enabled":true,"sql":"SELECT 1"}\')';
  beforeEach(() => {
    installation.makeAgent([]);
    installation.changeDatabase(installation.paths.agentDb, `${DECIDED}; ${COST}; ${VERSION}`);
  });

  it('are listed from the database where the agent is away', async () => {
    const { out } = await installation.run(['rules', 'list']);
    expect(out).toMatch(/\nmemfd-executable +low +disabled/);
    expect(out).toMatch(/memfd-executable: disabled, severity low by uid 1000 at \S+ x\\x1b\[2J/);
    expect(out).toMatch(/decided about rules that are not there\n {2}- gone: enabled by root \(uid 0\)/);
    const { rules, overrides_without_rule: without } = json((await installation.run(['rules', 'list', '--json'])).out) as {
      rules: { id: string }[];
      overrides_without_rule: unknown;
    };
    expect(rules.find(({ id }) => id === 'memfd-executable')).toMatchObject({
      severity: 'low',
      override: { enabled: false, severity: 'low', reason: 'x\u001b[2J' },
      cost: { runs: 4, rows: 9, hits: 2, total_ms: 8, worst_ms: 5, overruns: 1 },
    });
    expect(without).toMatchObject([{ rule_id: 'gone', enabled: true }]);
  });

  it('are left out where the database is of an earlier release', async () => {
    installation.changeDatabase(
      installation.paths.agentDb,
      'DROP TABLE rule_override; DROP TABLE rule_cost; DROP TABLE detection_rule_versions',
    );
    expect((await installation.run(['rules', 'list'])).status).toBe(0);
    expect((await installation.run(['rules', 'show', 'memfd-exec', '--history'])).out).toContain('none is kept');
  });

  it('are listed as the agent tells', async () => {
    const override = { ruleId: 'r', enabled: null, severity: 'low', reason: 'z', uid: 1, userName: null, decidedMs: NOW_MS };
    const listed = { id: 'r', name: 'R', severity: 'low', version: 1, state: 'active', runs: 1, hits: 0, override };
    const cost = { runs: 3, rows: 0, hits: 0, totalMs: 6, worstMs: 2, overruns: 0, lastRunMs: NOW_MS };
    const page = { total: 1, offset: 0, rules: [{ ...listed, cost }], problems: [], overridesWithoutRule: [{ ...override, ruleId: 'q' }] };
    await installation.serve('sentinelagent', { rules: page });
    const { out } = await installation.run(['rules', 'list']);
    expect(out).toMatch(/r: severity low by uid 1 at \S+ z\n/);
    expect(out).toContain('- q: severity low by uid 1');
    expect(json((await installation.run(['rules', 'list', '--json'])).out)).toMatchObject({ rules: [{ cost: { runs: 3, total_ms: 6 } }] });
  });

  it('stand beside when a rule is run', async () => {
    const page = {
      total: 1,
      offset: 0,
      rules: [{ id: 'r', name: 'R', severity: 'low', version: 1, state: 'active', schedule: 'every 5m', nextRunMs: NOW_MS }],
      problems: [],
    };
    await installation.serve('sentinelagent', { rules: page });
    expect((await installation.run(['rules', 'list'])).out).toMatch(/r: every 5m, next with the first scan from \S+ on\n/);
    expect(json((await installation.run(['rules', 'list', '--json'])).out)).toMatchObject({
      rules: [{ schedule: 'every 5m', next_run_ms: NOW_MS }],
    });
  });

  it('are shown of one rule, with its history where that is asked for', async () => {
    const { out } = await installation.run(['rules', 'show', 'memfd-executable', '--history']);
    expect(out).toMatch(/^LOW {2}/);
    expect(out).toMatch(/decided +disabled, severity low by uid 1000/);
    expect(out).toMatch(
      /cost +4 runs since it was first loaded, 2\.0 ms each, 5\.0 ms at\s+worst;\s+2\s+with\s+a\s+match,\s+9\s+rows\s+in\s+all;\s+1\s+overruns/,
    );
    expect(out).toMatch(/history\n[\s\S]*abcdef012345/);
    expect(json((await installation.run(['rules', 'show', 'memfd-executable', '--history', '--json'])).out)).toMatchObject({
      severity: 'low',
      own_severity: 'high',
      override: { enabled: false },
      cost: { runs: 4 },
      history: [
        { version: 1, checksum: 'abcdef0123456789', first_seen_ms: 1767229100000, severity: 'high', enabled: true, query: 'SELECT 1' },
      ],
    });
    expect((await installation.run(['rules', 'show', 'memfd-exec', '--history'])).out).toContain('none is kept');
  });
});
