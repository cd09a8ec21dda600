import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('rules', () => {
  const RULE =
    "id: a-rule\nname: A rule\ndescription: finds x\nseverity: high\ncategory: execution\nversion: 1\ndedup: [pid]\nquery: |\n  SELECT pid FROM processes\n  WHERE name = 'x'\n";
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scli-rules-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };

  it('are listed as the agent tells, all pages of them', async () => {
    const rule = (id: string, state: string) => ({
      id,
      name: id,
      severity: 'high',
      version: 1,
      source: 'builtin',
      path: '/x',
      attack: [],
      state,
      reason: state === 'refused' ? 'x.yaml:3: no' : null,
      runs: 4,
      hits: 1,
      lastMs: 0.5,
      lastOutcome: 'ok',
    });
    const all = Array.from({ length: 7 }, (_, at) => rule(`rule-${at}`, at === 6 ? 'refused' : 'active'));
    const rules = ({ offset }: { offset: number }): unknown => ({
      total: 7,
      offset,
      rules: all.slice(offset, offset + 3),
      problems: offset === 0 ? ['y.yaml:1: not valid'] : [],
    });
    await installation.serve('sentinelagent', { rules });
    const { status, out, err } = await installation.run(['rules', 'list']);
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain('rule-6  high      refused  1/4');
    expect(out).toContain('rule-6: x.yaml:3: no');
    expect(out).toContain('- y.yaml:1: not valid');
    expect(json((await installation.run(['rules', 'list', '--json'])).out)).toMatchObject({
      from: 'agent',
      why: null,
      rules: { length: 7 },
    });
  });

  it('are listed from files where the agent is away, with what its database still has', async () => {
    write('a-rule.yaml', RULE);
    installation.makeAgent([]);
    installation.changeDatabase(
      installation.paths.agentDb,
      "INSERT INTO detection_rules (id, name, severity, version, source_type, removed_at) VALUES ('a-rule', 'A', 'high', 1, 'file', NULL), ('gone-rule', 'G', 'low', 2, 'file', NULL)",
    );
    const { status, out, err } = await installation.run([
      'rules',
      'list',
      '--set',
      `detection.rules_dirs=[${directory}]`,
      '--set',
      'detection.disabled_rules=[memfd-executable]',
    ]);
    expect(status).toBe(0);
    expect(err).toMatch(/^sentinelagent cannot be asked/);
    expect(out).toMatch(/\na-rule +high +enabled/);
    expect(out).toMatch(/\nmemfd-executable +high +disabled/);
    expect(out).toMatch(/\ngone-rule +low +no_file/);
  });

  it('are shown one by one', async () => {
    const { status, out } = await installation.run(['rules', 'show', 'memfd-executable']);
    expect(status).toBe(0);
    expect(out).toContain('HIGH  Program runs from memory');
    expect(out).toContain('FROM processes');
    expect(json((await installation.run(['rules', 'show', 'memfd-executable', '--json'])).out)).toMatchObject({
      id: 'memfd-executable',
      state: 'enabled',
      query: expect.stringContaining('SELECT'),
    });
    const unknown = await installation.run(['rules', 'show', 'memfd-exectable']);
    expect([unknown.status, unknown.err]).toEqual([
      2,
      expect.stringMatching(
        /^sentinelcli: there is no rule memfd-exectable\n {2}none of the \d+ rules that are loaded has this id\n {2}did you mean memfd-executable\?\n$/,
      ),
    ]);
  });

  it('are validated: files, SQL and dedup keys, each with its place', async () => {
    write('a-rule.yaml', RULE);
    expect(await installation.run(['rules', 'validate', directory])).toMatchObject({ status: 0, out: '1 accepted, 0 refused\n', err: '' });
    write('b-rule.yaml', RULE.replace('a-rule', 'b-rule').replace("name = 'x'", "nme = 'x'"));
    write('c-rule.yaml', RULE.replace('a-rule', 'c-rule').replace('severity: high', 'severity: hihg'));
    const d = write('d-rule.yaml', RULE.replace('a-rule', 'd-rule').replace('dedup: [pid]', 'dedup: [uid]'));
    const { status, out } = await installation.run(['rules', 'validate', directory]);
    expect(status).toBe(1);
    expect(out).toContain('b-rule.yaml:10:9: rule b-rule:\n  refused (column): There is no column nme. Did you mean name?');
    expect(out).toContain('c-rule.yaml:4:11: rule c-rule:');
    expect(out).toContain('d-rule.yaml:7:1: rule d-rule:\n  refused (dedup)');
    expect(lines(out).at(-1)).toBe('1 accepted, 2 refused, 1 fault in files');
    const one = await installation.run(['rules', 'validate', '--json', d, '/dev/null']);
    expect(one.status).toBe(1);
    expect(json(one.out)).toMatchObject({
      ok: false,
      accepted: 0,
      refused: 1,
      rules: [{ id: 'd-rule', ok: false, refusal: { code: 'dedup', line: 7 } }],
      problems: [{ file: '/dev/null' }],
    });
  });

  it('that are none are no success', async () => {
    mkdirSync(join(directory, 'empty'));
    expect(await installation.run(['rules', 'validate', join(directory, 'empty')])).toMatchObject({
      status: 1,
      out: 'no rules found: their files are called ID.yaml\n',
    });
    expect(await installation.run(['rules', 'test', join(directory, 'empty')])).toMatchObject({ status: 1, out: 'no case was run\n' });
    expect(await installation.run(['rules', 'validate', directory, '/dev/null'])).toMatchObject({ status: 1 });
  });

  it('are tested by the cases beside them, one database after the other', async () => {
    const file = write('a-rule.yaml', RULE);
    expect((await installation.run(['rules', 'test', file])).out).toContain('a-rule: no cases');
    write(
      'a-rule.case.yaml',
      '- name: finds it\n  processes: [{ pid: 5, name: x }, { pid: 6, name: y }]\n  matches: [5]\n- name: another database\n  processes: [{ pid: 7, name: x }]\n  matches: [7]\n',
    );
    expect(await installation.run(['rules', 'test', file])).toMatchObject({
      status: 0,
      out: 'ok   a-rule: finds it\nok   a-rule: another database\n2 passed, 0 failed\n',
    });
    write('a-rule.case.yaml', '- name: wrong\n  processes: [{ pid: 5, name: x }]\n  matches: [6]\n');
    const { status, out } = await installation.run(['rules', 'test', file]);
    expect([status, out]).toEqual([1, 'FAIL a-rule: wrong\n     missing: pid=6\n     unexpected: pid=5\n0 passed, 1 failed\n']);
    write('a-rule.case.yaml', '- nme: wrong\n');
    expect(await installation.run(['rules', 'test', '--json', file])).toMatchObject({
      status: 1,
      out: expect.stringContaining('"problems": [\n    {'),
    });
  });
});
