import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { alertDocument } from '@sentineld/model/alert-document';
import { DEFAULTS, type Config } from '@sentineld/runtime/config/config';
import { statePaths } from '@sentineld/runtime/config/state-dir';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exampleAlert } from '../alert.fixture.ts';
import type { SeenCheckpoint } from '../checkpoint-line.ts';
import { fileSink } from './file.ts';
import { SINKS } from './registry.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sentineld-sink-'));
  mkdirSync(join(root, 'agent'));
});
afterEach(() => rmSync(root, { recursive: true }));

const openFile = (path = '') =>
  fileSink.open({ ...DEFAULTS, alerting: { ...DEFAULTS.alerting, file: { enabled: true, path } } } satisfies Config, statePaths(root));

describe('the sinks', () => {
  it('have names of their own and are on by default', () => {
    expect(SINKS.map((sink) => sink.name)).toEqual(['stdout', 'file']);
    expect(SINKS.every((sink) => sink.isEnabled(DEFAULTS))).toBe(true);
  });
});

describe('file sink', () => {
  it('appends one JSON document a line, whatever the host strings hold', async () => {
    const sink = openFile();
    expect(await sink.send(exampleAlert())).toEqual({ ok: true });
    expect(await sink.send(exampleAlert({ id: 5 }))).toEqual({ ok: true });
    const file = join(root, 'agent', 'alerts.jsonl');
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).id)).toEqual([4, 5]);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      version: 1,
      severity: 'high',
      rule: { id: 'deleted-executable' },
      processes: [{ pid: 42, name: 'a\u001b[2Jb', parent: { pid: 1 } }],
    });
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it('has checkpoints of the ledger among the alerts, told by their event_type', async () => {
    const sink = openFile();
    await sink.send(exampleAlert());
    expect([await sink.note(exampleCheckpoint()), await sink.note(exampleCheckpoint(5))]).toEqual([{ ok: true }, { ok: true }]);
    const lines = readFileSync(join(root, 'agent', 'alerts.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line).event_type)).toEqual([undefined, 'ledger.checkpoint', 'ledger.checkpoint']);
    expect(JSON.parse(lines[1] ?? '')).toEqual({
      version: 1,
      event_type: 'ledger.checkpoint',
      time: '2023-11-14T22:13:20.000Z',
      seen: '2023-11-14T22:13:21.000Z',
      host: { name: 'web\u001b[2J' },
      epoch: 12,
      tree_size: 4711,
      note: 'signed\n',
    });
    expect(await openFile(join(root, 'none', 'alerts')).note(exampleCheckpoint())).toMatchObject({ ok: false });
  });

  it('follows a rotated file by its name', async () => {
    const file = join(root, 'alerts');
    const sink = openFile(file);
    await sink.send(exampleAlert());
    rmSync(file);
    await sink.send(exampleAlert({ id: 6 }));
    expect(JSON.parse(readFileSync(file, 'utf8')).id).toBe(6);
  });

  it('says what is wrong: no directory, a symbolic link in its place', async () => {
    expect(await openFile(join(root, 'none', 'alerts')).send(exampleAlert())).toMatchObject({
      ok: false,
      error: expect.stringContaining('ENOENT'),
    });
    writeFileSync(join(root, 'victim'), '');
    symlinkSync(join(root, 'victim'), join(root, 'link'));
    expect(await openFile(join(root, 'link')).send(exampleAlert())).toMatchObject({ ok: false, error: expect.stringContaining('ELOOP') });
    expect(readFileSync(join(root, 'victim'), 'utf8')).toBe('');
  });
});

function exampleCheckpoint(treeSize = 4711): SeenCheckpoint {
  const checkpoint = { epoch: 12, treeSize, timestampMs: 1_700_000_000_000, note: 'signed\n' };
  return { hostName: 'web\u001b[2J', seenMs: 1_700_000_001_000, checkpoint };
}

/** In a process whose files may grow to a few hundred bytes: a disk that is full, without one. */
function sendTwiceWithin(blocks: number, path: string): { readonly results: readonly unknown[]; readonly left: string } {
  const program = `
    import { fileSink } from '${join(import.meta.dirname, 'file.ts')}';
    import { exampleAlert } from '${join(import.meta.dirname, '..', 'alert.fixture.ts')}';
    import { DEFAULTS } from '@sentineld/runtime/config/config';
    const file = { enabled: true, path: '${path}' };
    const sink = fileSink.open({ ...DEFAULTS, alerting: { ...DEFAULTS.alerting, file } }, { agentDir: '/none' });
    process.stderr.write(JSON.stringify([await sink.send(exampleAlert()), await sink.send(exampleAlert())]));`;
  const node = [process.execPath, '--conditions=sentineld-source', '--input-type=module-typescript', '-e', program];
  const ended = spawnSync('/bin/sh', ['-c', `ulimit -f ${blocks}; exec "$@"`, 'sh', ...node], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return { results: JSON.parse(ended.stderr) as readonly unknown[], left: readFileSync(path, 'utf8') };
}

describe('file sink on a full disk', () => {
  it('leaves no half of a line, and says that it waits for space', () => {
    const line = `${JSON.stringify(alertDocument(exampleAlert()))}\n`;
    const { results, left } = sendTwiceWithin(Math.ceil(line.length / 512), join(root, 'alerts'));
    expect(results).toEqual([
      { ok: true },
      { ok: false, isFull: true, error: expect.stringMatching(/only \d+ of \d+ bytes were written/) },
    ]);
    expect(left).toBe(line);
  });

  it.skipIf(!existsSync('/dev/full'))('says that it waits for space where nothing can be written (needs /dev/full)', async () => {
    expect(await openFile('/dev/full').send(exampleAlert())).toEqual({
      ok: false,
      isFull: true,
      error: expect.stringContaining('ENOSPC'),
    });
  });
});

describe('stdout sink', () => {
  /** What a process writes that does this with its sink. */
  const run = (format: string, work: string) =>
    spawnSync(
      process.execPath,
      ['--conditions=sentineld-source', '--input-type=module-typescript', '-e', `
        import { stdoutSink } from '${join(import.meta.dirname, 'stdout.ts')}';
        import { exampleAlert } from '${join(import.meta.dirname, '..', 'alert.fixture.ts')}';
        import { DEFAULTS } from '@sentineld/runtime/config/config';
        const sink = stdoutSink.open({ ...DEFAULTS, alerting: { ...DEFAULTS.alerting, stdout: { enabled: true, format: '${format}' } } });
        const seen = ${JSON.stringify(exampleCheckpoint())};
        process.stderr.write(JSON.stringify(${work}));`],
      { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' },
    ); // prettier-ignore
  const send = (format: string) => run(format, 'await sink.send(exampleAlert())');
  const noteTwice = (format: string) => run(format, '[await sink.note(seen), await sink.note(seen)]');

  it('has a line for a checkpoint, for people once in a while and for programs each', () => {
    const text = noteTwice('text');
    expect(text.stderr).toBe('[{"ok":true},{"ok":true}]');
    expect(text.stdout).toBe('2023-11-14 22:13:20Z  CHECKPOINT  ledger of web\\x1b[2J: 4711 entries, epoch 12\n');
    const lines = noteTwice('json').stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).tree_size)).toEqual([4711, 4711]);
  });

  it('writes text for people and documents for programs', () => {
    const text = send('text');
    expect(text.stderr).toBe('{"ok":true}');
    expect(text.stdout).toContain('HIGH');
    expect(text.stdout).not.toContain('\u001b');
    expect(JSON.parse(send('json').stdout)).toMatchObject({ id: 4 });
  });
});
