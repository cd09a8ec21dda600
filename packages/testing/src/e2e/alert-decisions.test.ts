import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fewRules, parseJson, removeDirectory, startInstallation, temporaryDirectory, type Installation } from './installation.ts';

let directory = '';
let installation: Installation;
const probes: ChildProcess[] = [];

/** A rule that finds the probes, and tells them apart by their arguments. */
const RULE = `id: every-probe
name: Probe
description: A test.
severity: critical
category: test
version: 1
dedup: [cmdline]
query: |
  SELECT pid, name, cmdline FROM processes WHERE name = 'sentineld-probe'
`;

async function start(): Promise<Installation> {
  const started = startInstallation(join(directory, 's'), [
    ...fewRules(),
    '--set', 'collection.interval=500ms', '--set', 'alerting.dedup_window=1s', '--set', `detection.rules_dirs=[${join(directory, 'rules')}]`,
  ]); // prettier-ignore
  await started.waitFor(/Alerts follow as they come/);
  return started;
}

/** Starts a process that the rule finds. */
function probe(seconds = 300): number {
  const child = spawn(join(directory, 'sentineld-probe'), [String(seconds)], { stdio: 'ignore' });
  probes.push(child);
  return child.pid ?? -1;
}

beforeAll(async () => {
  directory = temporaryDirectory();
  mkdirSync(join(directory, 'rules'));
  writeFileSync(join(directory, 'rules', 'every-probe.yaml'), RULE);
  copyFileSync(execFileSync('readlink', ['-f', '/bin/sleep'], { encoding: 'utf8' }).trim(), join(directory, 'sentineld-probe'));
  installation = await start();
});
afterAll(async () => {
  for (const child of probes) child.kill('SIGKILL');
  await installation.stop();
  rmSync(join(directory, 'sentineld-probe'), { force: true });
  removeDirectory(directory);
});

type Listed = {
  readonly id: number;
  readonly rows: readonly { readonly pid: number; readonly cmdline: string }[];
  readonly acknowledged: { uid: number } | null;
};
type Suppression = { readonly id: number; readonly state: string; readonly hits: number; readonly ended: unknown };

const alerts = (...words: readonly string[]): readonly Listed[] => installation.json('alerts', 'list', '--rule', 'every-probe', ...words);
const alertedPids = (): unknown[] => alerts().map(({ rows }) => rows[0]?.pid);
/** What follows the program in the arguments of the probes that alerts are about. */
const commands = (): unknown[] => alerts().map(({ rows }) => rows[0]?.cmdline.replace(/^\S+/, ''));
const suppressions = (): readonly Suppression[] => installation.json('alerts', 'suppressions', '--all');
const scans = (): number => installation.json<{ n: number }[]>('query', 'SELECT max(id) AS n FROM scan_metadata')[0]?.n ?? 0;

function ledger(action: string): readonly Record<string, unknown>[] {
  const sql = `SELECT event_data FROM audit_ledger WHERE action = '${action}' ORDER BY sequence`;
  return installation
    .json<{ event_data: string }[]>('query', sql)
    .map((row) => parseJson<Record<string, unknown>>({ stdout: row.event_data, stderr: '', status: 0 }));
}

const PATIENCE = { timeout: 45_000 };

describe('what operators decide about alerts', () => {
  it('is kept with who and why, and recorded', async () => {
    const pid = probe();
    await expect.poll(alertedPids, PATIENCE).toEqual([pid]);
    const [{ id }] = alerts() as [Listed];
    const acknowledged = installation.cli('alerts', 'ack', String(id), '--reason', 'a probe of ours');
    expect([acknowledged.status, acknowledged.stdout]).toEqual([0, expect.stringMatching(/acknowledged by .*: a probe of\s+ours/)]);
    expect(installation.cli('alerts', 'ack', String(id), '--reason', 'mine').stdout).toContain('that stays');
    expect(alerts()[0]?.acknowledged).toMatchObject({ uid: process.getuid?.(), reason: 'a probe of ours' });
    expect(alerts('--unacknowledged')).toEqual([]);
    await expect.poll(() => ledger('alert_ack').length, PATIENCE).toBe(1);
    expect(ledger('alert_ack')[0]).toMatchObject({ alert_ids: [id], reason: 'a probe of ours', asked_by: { uid: process.getuid?.() } });
  });

  it('is refused where it makes no sense: a critical rule as a whole, a column that is not there', () => {
    const whole = installation.cli('alerts', 'suppress', '--rule', 'every-probe', '--for', '1h', '--reason', 'x');
    expect([whole.status, whole.stderr]).toEqual([2, expect.stringContaining('it is critical')]);
    const unknown = installation.cli('alerts', 'suppress', '--rule', 'every-probe', '--where', 'nme=x', '--for', '1h', '--reason', 'x');
    expect([unknown.status, unknown.stderr]).toEqual([2, expect.stringContaining('did you mean name?')]);
    expect(suppressions()).toEqual([]);
  });

  it('hides findings that are counted, across a restart of everything, and what lasts is an alert afterwards', async () => {
    const suppressed = installation.cli(
      'alerts',
      'suppress',
      '--rule',
      'every-probe',
      '--where',
      'name=sentineld-probe',
      '--for',
      '1h',
      '--reason',
      'ours',
    );
    expect([suppressed.status, suppressed.stdout]).toEqual([
      0,
      expect.stringMatching(/it would have hidden [1-9]\d* of the [1-9]\d* alerts/),
    ]);
    const before = alertedPids();
    const pid = probe(301);
    await expect.poll(() => suppressions()[0]?.hits ?? 0, PATIENCE).toBeGreaterThan(0);
    await installation.stop();
    const seen = suppressions()[0]?.hits ?? 0;
    installation = await start();
    // After a start the rule looks at all processes once.
    await expect.poll(() => suppressions()[0]?.hits ?? 0, PATIENCE).toBeGreaterThan(seen);
    const scan = scans();
    await expect.poll(scans, PATIENCE).toBeGreaterThan(scan + 1);
    expect(alertedPids()).toEqual(before);
    expect(installation.cli('alerts', 'unsuppress', '1', '--reason', 'it is over').status).toBe(0);
    await expect.poll(alertedPids, PATIENCE).toContain(pid);
    expect(suppressions()).toMatchObject([{ id: 1, state: 'ended', ended: { reason: 'it is over', uid: process.getuid?.() } }]);
    await expect.poll(() => ledger('alert_unsuppress').length, PATIENCE).toBe(1);
    expect(ledger('alert_suppress')).toMatchObject([
      { suppression_id: 1, rule_id: 'every-probe', conditions: [{ column: 'name', value: 'sentineld-probe' }], reason: 'ours' },
    ]);
  });

  it('may be about one alert, and leaves the others', async () => {
    probe(302);
    await expect.poll(commands, PATIENCE).toContain(' 302');
    const [newest] = alerts() as [Listed];
    const { scope, preview } = installation.json<{ scope: unknown; preview: { hidden: number } }>(
      'alerts', 'suppress', '--alert', String(newest.id), '--preview',
    ); // prettier-ignore
    expect(scope).toMatchObject({ rule_id: 'every-probe', alert_id: newest.id, conditions: [{ column: 'cmdline' }] });
    expect(preview.hidden).toBeGreaterThan(0);
    expect(suppressions()).toHaveLength(1);
    expect(installation.cli('alerts', 'suppress', '--alert', String(newest.id), '--for', '1h', '--reason', 'that one').status).toBe(0);
    const before = alerts().length;
    probe(302);
    await expect.poll(() => suppressions()[0]?.hits ?? 0, PATIENCE).toBeGreaterThan(0);
    expect(alerts()).toHaveLength(before);
    probe(303);
    await expect.poll(commands, PATIENCE).toContain(' 303');
  });
});
