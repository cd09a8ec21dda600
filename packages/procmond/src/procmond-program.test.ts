import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { askOnce, openConnection } from '@sentineld/runtime/ipc/client';
import { parseThreadStatus, SYS_PTRACE_MASK, threadPrivileges } from '@sentineld/runtime/lifecycle/privileges';
import { VERSION } from '@sentineld/runtime/version';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../../build/programs/procmond.js', import.meta.url));
const isBuilt = existsSync(PROGRAM);
if (!isBuilt) console.log('procmond-program.test.ts: build/programs/procmond.js is missing: the built program is not tried');
const isRoot = process.getuid?.() === 0;
/** SETGID, SETUID, SETPCAP and SYS_PTRACE: root in a container may lack them. */
const NEEDED = (1n << 6n) | (1n << 7n) | (1n << 8n) | SYS_PTRACE_MASK;
const canRun = isBuilt && (!isRoot || threadPrivileges().every((thread) => (thread.effective & NEEDED) === NEEDED));
if (!canRun) console.log('procmond-program.test.ts: not built, or root without all of its rights: nothing is collected');

let directory = '';
let state = '';
const running: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-procmond-'));
  chmodSync(directory, 0o755);
  state = join(directory, 'state');
});
afterEach(async () => {
  await Promise.all(
    running.splice(0).map(
      (child) =>
        new Promise((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null) return resolve(null);
          child.once('exit', resolve);
          return child.kill('SIGKILL');
        }),
    ),
  );
  rmSync(directory, { recursive: true });
});

const env = (): Record<string, string> => ({ PATH: process.env['PATH'] ?? '', HOME: directory });

function run(...words: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], { encoding: 'utf8', env: env(), timeout: 30_000 });
  return { status, stdout, stderr };
}

/** This process has no better-sqlite3: it may read with the readers' library. */
function rowsOf(database: string, sql: string): readonly Record<string, unknown>[] {
  const db = new DatabaseSync(join(state, database), { readOnly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

function ledgerEntries(): { readonly action: unknown; readonly data: Record<string, unknown> }[] {
  const rows = rowsOf('ledger/ledger.db', 'SELECT action, event_data FROM audit_ledger ORDER BY sequence');
  return rows.map((row) => ({ action: row['action'], data: JSON.parse(String(row['event_data'])) as Record<string, unknown> }));
}

describe.skipIf(!isBuilt)('procmond (needs the built program)', () => {
  it('says its version and how it is used', () => {
    expect(run('--version')).toEqual({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
    for (const words of [[], ['--help'], ['-h']])
      expect(run(...words)).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage:'), stderr: '' });
  });

  it.each<[readonly string[], number, string]>([
    [['walk'], 2, 'unknown command "walk"'],
    [['run', 'twice'], 2, 'unknown command "twice"'],
    [['run', 'run'], 2, '"run" is one word too many'],
    [['run', '--fast'], 2, 'unknown option --fast'],
    [['run', '--verbose'], 2, '--verbose does not go with "run"'],
    [['run', '--set'], 2, '--set'],
    [['run', '--set', 'x'], 2, 'must be KEY=VALUE'],
    [['run', '--set', 'collection.interval=2'], 3, 'must be a duration'],
    [['run', '--config', '/nonexistent/x.yaml'], 3, 'no such file'],
    [['run', '--once', '--state-dir', '/dev/null/x'], 4, '/dev/null'],
    [['self-check', '--set', 'nonsense=1'], 1, ''],
  ])('%j ends with %d and says why and what to do', (words, status, message) => {
    const ended = run(...words);
    expect(ended.status).toBe(status);
    if (message === '') return;
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).toMatch(/^procmond: .+\n {2}\S.*\n {2}\S.*\n$/);
    expect(ended.stderr).not.toContain('bug');
  });

  it.skipIf(!canRun)(
    'scans once, into databases of their own, with everything proved and recorded (needs the right to give up rights)',
    () => {
      const ended = run('run', '--once', '--state-dir', state);
      expect(ended).toMatchObject({ status: 0 });
      const scan = JSON.parse(ended.stdout) as Record<string, unknown>;
      expect(scan).toMatchObject({ event: 'scan.completed', scanId: 1, changed: 0, stopped: 0 });
      const names = ended.stderr
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
      expect(names).toEqual(['scan.completed', 'procmond.stopped']);

      expect(rowsOf('events/events.db', 'SELECT count(*) AS n FROM processes')).toEqual([{ n: scan['processes'] }]);
      const entries = ledgerEntries();
      expect(entries.map(({ action }) => action)).toEqual([
        'ledger_create',
        'start',
        'privilege_drop',
        'process_scan_start',
        'process_scan_complete',
        'stop',
      ]);
      const proof = entries[2]?.data ?? {};
      const owner = lstatSync(join(state, 'events')).uid;
      expect(proof).toMatchObject({
        uid: owner,
        sees_other_users: isRoot,
        effective: isRoot ? '80000' : '0',
        unconfined: null,
        noNewPrivileges: true,
        seccomp: true,
      });
      expect(owner === 0).toBe(false);
      expect(proof['refused']).toEqual(expect.arrayContaining([expect.stringMatching(/^setuid\(0\): EPERM/)]));
      expect(existsSync(join(state, 'events', 'procmond.lock'))).toBe(false);
    },
  );

  it.skipIf(!canRun)('is closed to other users and gives each file its owner (needs the right to give up rights)', () => {
    run('run', '--once', '--state-dir', state);
    for (const name of readdirSync(state, { recursive: true, encoding: 'utf8' })) {
      if (name.startsWith('programs')) continue;
      const { mode, uid } = lstatSync(join(state, name));
      expect([name, mode & (name === 'run' ? 0o022 : 0o027)]).toEqual([name, 0]);
      if (name.endsWith('.db')) expect([name, uid]).toEqual([name, lstatSync(join(state, 'events')).uid]);
    }
  });

  it.skipIf(!canRun)(
    'collects until it is stopped, on every thread without more than it needs (needs the right to give up rights)',
    async () => {
      const child = spawn(process.execPath, [PROGRAM, 'run', '--state-dir', state, '--set', 'collection.interval=500ms'], {
        env: env(),
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      running.push(child);
      let log = '';
      child.stderr.on('data', (bytes: Buffer) => {
        log += bytes.toString();
      });
      const socket = join(state, 'run', 'procmond', 'procmond.sock');
      await expect.poll(() => existsSync(socket), { timeout: 15_000 }).toBe(true);
      const events: unknown[] = [];
      const connection = await openConnection(socket, (event) => events.push(event));
      expect(await connection.ask({ request: 'subscribe' })).toEqual({});
      await expect.poll(() => events.length, { timeout: 15_000 }).toBeGreaterThan(1);
      expect(await connection.ask({ request: 'health' })).toMatchObject({
        component: 'procmond',
        pid: child.pid,
        state: expect.stringMatching(/ok|degraded/),
      });
      const threads = readdirSync(`/proc/${child.pid}/task`).map((tid) =>
        parseThreadStatus(Number(tid), readFileSync(`/proc/${child.pid}/task/${tid}/status`, 'latin1')),
      );
      for (const thread of threads) {
        expect([thread.effective, thread.permitted, thread.ambient]).toEqual(Array.from({ length: 3 }, () => (isRoot ? 0x80000n : 0n)));
        expect([thread.noNewPrivileges, thread.seccompMode, thread.uids.includes(0)]).toEqual([true, 2, false]);
      }
      const second = run('run', '--once', '--state-dir', state);
      expect(second).toMatchObject({ status: 4, stderr: expect.stringContaining(`pid ${child.pid}`) });
      // What is not permitted ends the connection and is recorded.
      await expect(connection.ask({ request: 'rules', offset: 0 })).rejects.toMatchObject({ code: 'ipc.unreachable' });
      const ended = new Promise((resolve) => void child.once('exit', (...how) => resolve(how)));
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      const names = log
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
      expect(names).toContain('request.refused');
      expect(names.at(-1)).toBe('procmond.stopped');
      expect(existsSync(socket)).toBe(false);
      const last = ledgerEntries().filter(({ action }) => action === 'stop' || action === 'request_refused');
      expect(last.map(({ action }) => action)).toEqual(['request_refused', 'stop']);
      expect(last[0]?.data).toMatchObject({
        role: 'sentinelcli',
        peer: { pid: process.pid, uid: process.getuid?.() },
        reason: expect.stringContaining('rules'),
      });
    },
  );

  it.skipIf(!canRun)(
    'loads its configuration again on SIGHUP, as a whole or not at all, and records it (needs the right to give up rights)',
    async () => {
      const file = join(directory, 'config.yaml');
      writeFileSync(file, 'collection: {interval: 30s}\n', { mode: 0o644 });
      const child = spawn(process.execPath, [PROGRAM, 'run', '--state-dir', state, '--config', file], { env: env(), stdio: 'ignore' });
      running.push(child);
      const socket = join(state, 'run', 'procmond', 'procmond.sock');
      await expect.poll(() => existsSync(socket), { timeout: 15_000 }).toBe(true);
      const loads = (): readonly Record<string, unknown>[] =>
        ledgerEntries()
          .filter(({ action }) => action === 'config_load')
          .map(({ data }) => data);
      const hangUp = async (text: string): Promise<Record<string, unknown> | undefined> => {
        const before = loads().length;
        writeFileSync(file, text);
        child.kill('SIGHUP');
        await expect.poll(() => loads().length, { timeout: 15_000 }).toBe(before + 1);
        return loads().at(-1);
      };
      const changed = 'collection: {interval: 500ms, argv_limit: 8KiB}\nledger: {checkpoint_interval: 2s, mirror: [/m]}\n';
      expect(await hangUp(changed)).toMatchObject({
        applied: ['collection.interval', 'ledger.checkpoint_interval'],
        needs_restart: ['collection.argv_limit', 'ledger.mirror'],
        config_files: [file],
      });
      expect(await askOnce(socket, { request: 'health' })).toMatchObject({ intervalMs: 500 });
      expect(await hangUp('collection: {interval: 1ms}\n')).toMatchObject({
        error: expect.stringContaining('collection.interval'),
        applied: [],
      });
      expect(await askOnce(socket, { request: 'health' })).toMatchObject({ intervalMs: 500 });
    },
  );
});
