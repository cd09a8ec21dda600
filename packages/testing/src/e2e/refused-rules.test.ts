import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseJson, removeDirectory, startInstallation, temporaryDirectory, type Installation } from './installation.ts';

/** Every statement that a rule must not be, and what the reason must say. */
const REFUSED: Readonly<Record<string, readonly [sql: string, reason: RegExp]>> = {
  'two-statements': ['SELECT 1; DROP TABLE alerts', /statement/i],
  attach: ["ATTACH '/tmp/x.db' AS x", /ATTACH|SELECT/i],
  pragma: ['PRAGMA writable_schema = ON', /PRAGMA|SELECT/i],
  'load-extension': ["SELECT load_extension('/tmp/x.so') AS pid, 1 AS start_time FROM processes", /load_extension/],
  'big-blob': ['SELECT length(randomblob(1000000000)) AS pid, 1 AS start_time FROM processes', /randomblob/],
  'unknown-column': ['SELECT pid, start_time, exe_pth FROM processes', /exe_pth/],
};

const ENDLESS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS pid, 1 AS start_time FROM c';
/** Bounded, so it is a rule; but it takes longer than any deadline. */
const SLOW =
  'SELECT count(*) AS pid, 1 AS start_time FROM process_snapshots a JOIN process_snapshots b ON a.name <> b.name JOIN process_snapshots c ON b.name <> c.name JOIN process_snapshots d ON c.name <> d.name';

const ruleFile = (id: string, sql: string): string =>
  `id: ${id}\nname: Rule ${id}\ndescription: A test.\nseverity: low\ncategory: test\nversion: 1\nquery: |\n  ${sql}\n`;

let directory = '';
let installation: Installation;

beforeAll(async () => {
  directory = temporaryDirectory();
  const rules = join(directory, 'rules');
  mkdirSync(rules);
  for (const [id, [sql]] of Object.entries(REFUSED)) writeFileSync(join(rules, `${id}.yaml`), ruleFile(id, sql));
  writeFileSync(join(rules, 'endless.yaml'), ruleFile('endless', ENDLESS));
  writeFileSync(join(rules, 'slow.yaml'), ruleFile('slow', SLOW));
  writeFileSync(join(rules, 'broken.yaml'), 'id: broken\nname: Broken\nseverity: [high\n');
  writeFileSync(join(rules, 'misspelt.yaml'), ruleFile('misspelt', 'SELECT 1 AS pid, 1 AS start_time').replace('severity:', 'severty:'));
  installation = startInstallation(join(directory, 's'), [
    '--set', 'collection.interval=500ms', '--set', `detection.rules_dirs=[${rules}]`, '--set', 'detection.deadline=400ms',
  ]); // prettier-ignore
  await installation.waitFor(/Alerts follow as they come/);
});
afterAll(async () => {
  await installation.stop();
  removeDirectory(directory);
});

type ListedRule = { readonly id: string; readonly state: string; readonly reason: string | null };

function rules(): readonly ListedRule[] {
  return installation.json<{ rules: ListedRule[] }>('rules', 'list').rules;
}

function ledger(where: string): readonly Record<string, unknown>[] {
  const rows = installation.json<{ event_data: string }[]>('query', `SELECT event_data FROM audit_ledger WHERE ${where}`);
  return rows.map((row) => parseJson<Record<string, unknown>>({ stdout: row.event_data, stderr: '', status: 0 }));
}

describe('rules that must not run', () => {
  it.each(Object.entries(REFUSED))('%s is refused with id, position and reason', (id, [, reason]) => {
    const rule = rules().find((listed) => listed.id === id);
    expect(rule).toMatchObject({ state: 'refused', reason: expect.stringMatching(reason) });
    expect(rule?.reason).toMatch(new RegExp(`${id}\\.yaml:\\d+:\\d+: rule ${id} refused`));
  });

  it('are in the ledger with where and why', async () => {
    await expect
      .poll(() => ledger("action = 'rule_rejected'").map((entry) => entry['rule_id']), { timeout: 45_000 })
      .toEqual(expect.arrayContaining(Object.keys(REFUSED)));
    const [entry] = ledger("action = 'rule_rejected' AND event_data LIKE '%unknown-column%'");
    expect(entry).toMatchObject({
      rule_id: 'unknown-column',
      what: 'refused',
      reason: expect.stringContaining('exe_pth'),
      line: 8,
      column: 27,
    });
  });

  it('a rule without end, and one that is merely too slow, are refused or stopped at their limit', async () => {
    await expect
      .poll(
        () =>
          rules()
            .filter((rule) => ['endless', 'slow'].includes(rule.id))
            .map((rule) => rule.state),
        { timeout: 45_000 },
      )
      .toEqual([expect.stringMatching(/refused|quarantined/), 'quarantined']);
    expect(rules().find((rule) => rule.id === 'slow')?.reason).toMatch(/400 ms/);
  });

  it('a broken file is named with its line, and the other rules run', async () => {
    const { stdout, status } = installation.cli('rules', 'validate', join(directory, 'rules'));
    expect(status).toBe(1);
    expect(stdout).toMatch(/broken\.yaml:[34]:/);
    expect(stdout).toMatch(/misspelt\.yaml:4:1: .*severty.*severity/s);
    expect(rules().filter((rule) => rule.state === 'active').length).toBeGreaterThanOrEqual(8);
    const entries = ledger("action = 'rule_rejected' AND event_data LIKE '%not_loaded%'");
    expect(new Set(entries.map((entry) => String(entry['file']).split('/').at(-1)))).toEqual(new Set(['broken.yaml', 'misspelt.yaml']));
  });

  it('leave the agent at work: cycles go on', async () => {
    const cycles = (): number => ledger("action = 'rule_execute'").length;
    const before = cycles();
    await expect.poll(cycles, { timeout: 45_000 }).toBeGreaterThan(before + 1);
    expect(JSON.stringify(installation.json('health'))).toContain('rules are refused');
    expect(readFileSync(join(installation.stateDir, 'log', 'sentinelagent.log'), 'utf8')).toContain('"ruleId":"slow"');
  });
});
