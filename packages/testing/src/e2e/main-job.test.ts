import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseJson, removeDirectory, ROOT, startInstallation, temporaryDirectory, type Installation } from './installation.ts';

type ListedAlert = {
  readonly id: number;
  readonly scan_id: number;
  readonly correlation_id: string;
  readonly rule: { readonly id: string };
  readonly processes: readonly { readonly pid: number; readonly exe: string }[];
};

let directory = '';
let installation: Installation;
const started: ChildProcess[] = [];

beforeAll(async () => {
  directory = temporaryDirectory();
  installation = startInstallation(join(directory, 's'), ['--set', 'collection.interval=500ms']);
  await installation.waitFor(/Alerts follow as they come/);
});
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL');
  await installation.stop('SIGKILL');
  removeDirectory(directory);
});

describe('a first run', () => {
  it('says what it does, what it cannot see and how to ask', () => {
    const output = installation.output();
    expect(output).toMatch(/state\s+\S+/);
    expect(output).toMatch(/procmond\s+pid \d+, uid \d+, (no capability|CAP_SYS_PTRACE alone), no network, no exec/);
    expect(output).toMatch(/scan\s+\d+ processes in [\d.]+ ms \(scan \d+\); again every 500ms/);
    expect(output).toMatch(/events\s+every exec and exit|not seen\s+processes that live less than 500ms/);
    expect(output).toMatch(/rules\s+101 active\n/);
    expect(output).toMatch(/ask\s+PATH="\S+"\n\s+sentinelcli --state-dir \S+ health/);
  });

  it('runs daemons that are confined and hold no capability beyond the one named', () => {
    const [, procmond] = /procmond\s+pid (\d+)/.exec(installation.output()) ?? [];
    const [, agent] = /agent\s+pid (\d+)/.exec(installation.output()) ?? [];
    const field = (pid: string | undefined, name: string) =>
      new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    const isRoot = process.getuid?.() === 0;
    for (const pid of [procmond, agent]) {
      expect(field(pid, 'NoNewPrivs')).toBe('1');
      expect(field(pid, 'Seccomp')).toBe('2');
      expect(field(pid, 'Uid')?.split('\t')).not.toContain('0');
    }
    expect(BigInt(`0x${field(procmond, 'CapEff')}`)).toBe(isRoot ? 1n << 19n : 0n);
    expect(BigInt(`0x${field(agent, 'CapEff')}`)).toBe(0n);
  });

  it('answers a query as JSON that another program reads', () => {
    const rows = installation.json<{ pid: number; name: string }[]>(
      'query',
      'SELECT pid, name, exe_path FROM processes ORDER BY pid LIMIT 5',
    );
    expect(rows).toHaveLength(5);
    expect(rows[0]).toMatchObject({ pid: 1, name: readFileSync('/proc/1/comm', 'utf8').trim() });
  });

  it('raises one high alert with pid, exe and rule for an executable that is deleted while it runs', async () => {
    const probe = join('/tmp', `probe-${process.pid}`);
    copyFileSync('/bin/sleep', probe);
    const child = spawn(probe, ['60'], { stdio: 'ignore' });
    started.push(child);
    await installation.waitFor(new RegExp(`\\[executable-in-temporary-directory\\].*\n {4}pid ${child.pid} `));
    rmSync(probe);
    await installation.waitFor(new RegExp(`HIGH .*\\[deleted-executable\\].*\n {4}pid ${child.pid} probe-${process.pid}, exe ${probe}`));
    const alerts = installation.json<ListedAlert[]>('alerts', 'list');
    const ofProbe = alerts.filter((alert) => alert.processes.some((process_) => process_.pid === child.pid));
    expect(ofProbe.map((alert) => alert.rule.id).toSorted()).toEqual(['deleted-executable', 'executable-in-temporary-directory']);
    expect(ofProbe.find((alert) => alert.rule.id === 'deleted-executable')?.processes[0]).toMatchObject({ pid: child.pid, exe: probe });
    const lines = readFileSync(join(installation.stateDir, 'agent', 'alerts.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => parseJson<Partial<ListedAlert>>({ stdout: line, stderr: '', status: 0 }).rule?.id)).toContain(
      'deleted-executable',
    );
  });

  it('follows one correlation id from the scan to the log line', () => {
    const [alert] = installation.json<ListedAlert[]>('alerts', 'list', '--rule', 'deleted-executable');
    const id = alert?.correlation_id ?? '';
    expect(id).toMatch(/^scan-[0-9a-f]{16}$/);
    const [scan] = installation.json<{ id: number }[]>('query', `SELECT id FROM scan_metadata WHERE correlation_id = '${id}'`);
    // On a host that is short of time the next scan may be there when the rule is run; its rows are of that one.
    expect(alert?.scan_id).toBeGreaterThanOrEqual(scan?.id ?? Infinity);
    const entries = installation.json<{ action: string }[]>('query', `SELECT action FROM audit_ledger WHERE event_data LIKE '%${id}%'`);
    expect(entries.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['process_scan_start', 'process_scan_complete', 'alert_generate', 'rule_execute']),
    );
    const log = readFileSync(join(installation.stateDir, 'log', 'sentinelagent.log'), 'utf8');
    expect(log).toContain(`"correlationId":"${id}","ms"`);
  });

  it('keeps health, rules and alerts within 80 columns', () => {
    const [alert] = installation.json<ListedAlert[]>('alerts', 'list');
    for (const words of [['health'], ['rules', 'list'], ['alerts', 'list'], ['alerts', 'show', String(alert?.id)]]) {
      const { stdout, stderr, status } = installation.cli(...words);
      expect(`${words.join(' ')}: ${status} ${stderr}`).toBe(`${words.join(' ')}: 0 `);
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    }
  });

  it('tells a second start who holds the directory', async () => {
    const second = startInstallation(installation.stateDir);
    const { status, stderr } = await second.ended();
    expect(stderr).toMatch(new RegExp(`held by start, pid ${installation.pid}\\n  it runs since`));
    expect(status).toBe(4);
  });

  it('ends on SIGTERM with every daemon gone and a ledger that verifies', async () => {
    const pids = [...installation.output().matchAll(/(?:procmond|agent)\s+pid (\d+)/g)].map(([, pid]) => pid);
    const { status, stdout } = await installation.stop('SIGTERM');
    expect(status).toBe(0);
    expect(stdout).toContain('stopped; the ledger can be verified');
    expect(pids.filter((pid) => readdirSync('/proc').includes(String(pid)))).toEqual([]);
    const verified = installation.cli('audit', 'verify');
    expect(verified.status).toBe(0);
    expect(verified.stdout).toMatch(/\d+ entries/);
    expect(installation.json('query', "SELECT count(*) AS n FROM audit_ledger WHERE action = 'stop'")).toEqual([{ n: 2 }]);
  });
});

describe('when the process that started it dies', () => {
  it('ends everything', async () => {
    const stateDir = join(directory, 'orphan');
    const launcher = spawn(
      '/bin/sh',
      ['-c', `"${process.execPath}" --conditions=sentineld-source scripts/start.ts --no-build --state-dir "${stateDir}"; true`],
      {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    started.push(launcher);
    let output = '';
    launcher.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    await expect.poll(() => output, { timeout: 45_000 }).toContain('Alerts follow');
    const pids = [...output.matchAll(/(?:kill|procmond\s+pid|agent\s+pid) (\d+)/g)].map(([, pid]) => String(pid));
    launcher.kill('SIGKILL');
    await expect.poll(() => pids.filter((pid) => readdirSync('/proc').includes(pid)), { timeout: 45_000 }).toEqual([]);
    expect(output).toContain('whoever started this is gone');
  });
});
