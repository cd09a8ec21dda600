import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { CheckpointEventSchema, CheckpointNoticeSchema, RotateKeyReplySchema } from '@sentineld/model/reply';
import { askOnce, openConnection } from '@sentineld/runtime/ipc/client';
import { SYS_PTRACE_MASK, threadPrivileges } from '@sentineld/runtime/lifecycle/privileges';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMirror } from './mirror-file.ts';

const PROGRAM = fileURLToPath(new URL('../../../build/programs/procmond.js', import.meta.url));
/** SETGID, SETUID, SETPCAP and SYS_PTRACE: root in a container may lack them. */
const NEEDED = (1n << 6n) | (1n << 7n) | (1n << 8n) | SYS_PTRACE_MASK;
const hasRights = process.getuid?.() !== 0 || threadPrivileges().every((thread) => (thread.effective & NEEDED) === NEEDED);
const canRun = existsSync(PROGRAM) && hasRights;
if (!canRun) console.log('procmond-ledger.test.ts: not built, or root without all of its rights: no ledger is kept');

let directory = '';
let state = '';
let mirror = '';
let child: ChildProcess | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-procmond-'));
  chmodSync(directory, 0o755);
  state = join(directory, 'state');
  // Of whichever user procmond becomes.
  mirror = join(directory, 'mirrors', 'mirror');
  mkdirSync(join(directory, 'mirrors'));
  chmodSync(join(directory, 'mirrors'), 0o777);
});
afterEach(async () => {
  await stop('SIGKILL');
  rmSync(directory, { recursive: true });
});

const socket = (): string => join(state, 'run', 'procmond', 'procmond.sock');

async function start(): Promise<void> {
  const settings = ['collection.interval=500ms', 'ledger.checkpoint_interval=1s', `ledger.mirror=["${mirror}"]`];
  const words = ['run', '--state-dir', state, ...settings.flatMap((setting) => ['--set', setting])];
  child = spawn(process.execPath, [PROGRAM, ...words], { env: { PATH: process.env['PATH'] ?? '', HOME: directory }, stdio: 'ignore' });
  await expect.poll(() => askOnce(socket(), { request: 'health' }).catch(() => null), { timeout: 15_000 }).not.toBeNull();
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  const ending = child;
  child = null;
  if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
  const ended = new Promise((resolve) => void ending.once('exit', resolve));
  ending.kill(signal);
  await ended;
}

/** This process has no better-sqlite3: it may read with the readers' library. */
function rowsOf(sql: string): readonly Record<string, unknown>[] {
  const db = new DatabaseSync(join(state, 'ledger', 'ledger.db'), { readOnly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

const dataOf = (action: string): Record<string, unknown>[] =>
  rowsOf(`SELECT event_data FROM audit_ledger WHERE action = '${action}' ORDER BY sequence`).map(
    (row) => JSON.parse(String(row['event_data'])) as Record<string, unknown>,
  );

describe.skipIf(!canRun)('the ledger of procmond (needs the built program and the right to give up rights)', () => {
  it('has its epochs closed in time, at the end too, told and copied', async () => {
    await start();
    const events: unknown[] = [];
    const connection = await openConnection(socket(), (event) => events.push(event));
    await connection.ask({ request: 'subscribe' });
    const told = (): number[] =>
      events.flatMap((event) => {
        const parsed = CheckpointEventSchema.safeParse(event);
        return parsed.success ? [parsed.data.checkpoint.epoch] : [];
      });
    await expect.poll(() => told().length, { timeout: 15_000 }).toBeGreaterThan(2);
    const asked = CheckpointNoticeSchema.parse(await connection.ask({ request: 'ledger.checkpoint' }));
    await stop('SIGTERM');
    const made = rowsOf('SELECT epoch, tree_size, note FROM audit_checkpoint ORDER BY epoch');
    expect(made.map((row) => row['epoch'])).toEqual(made.map((_row, index) => index + 1));
    expect(told()).toEqual(told().map((_epoch, index) => (told()[0] ?? 0) + index));
    expect(made.map((row) => row['note'])).toContain(asked.note);
    const [newest] = rowsOf('SELECT max(sequence) AS sequence, action FROM audit_ledger');
    expect([newest?.['action'], made.at(-1)?.['tree_size']]).toEqual(['stop', newest?.['sequence']]);
    const sizes = new Set(made.map((row) => row['tree_size']));
    expect(readMirror(mirror).map(({ checkpoint }) => checkpoint.treeSize)).toEqual([...sizes]);
  });

  it('says at each start how the run before ended, and with which key it goes on', async () => {
    await start();
    await stop('SIGTERM');
    await start();
    const rotated = RotateKeyReplySchema.parse(await askOnce(socket(), { request: 'ledger.rotate_key' }));
    await stop('SIGKILL');
    await start();
    const starts = dataOf('start');
    expect(starts.map((data) => data['previous_end'])).toEqual(['new', 'clean', 'crash']);
    expect(starts.map((data) => typeof data['previous_checkpoint'])).toEqual(['object', 'object', 'object']);
    expect(starts[0]).toMatchObject({
      previous_checkpoint: null,
      version: expect.any(String),
      config_files: [],
      config_hash: expect.any(String),
    });
    const [first, second, third] = starts.map((data) => data['key_id']);
    expect([first, rotated.key.split('+')[1]]).toEqual([second, third]);
    expect(first).toMatch(/^[0-9a-f]{8}$/);
  });

  it('is not to be asked for anything on the socket of the agent', async () => {
    await start();
    const path = join(state, 'run', 'procmond', 'agent.sock');
    for (const request of ['ledger.checkpoint', 'ledger.rotate_key'] as const)
      await expect(askOnce(path, { request })).rejects.toMatchObject({ code: 'ipc.unreachable' });
    await stop('SIGTERM');
    expect(dataOf('request_refused').map((data) => data['role'])).toEqual(['sentinelagent', 'sentinelagent']);
    expect(dataOf('key_rotate')).toEqual([]);
  });
});
