import { EventEmitter } from 'node:events';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { describe, expect, it } from 'vitest';
import type { StartedChild } from './child-program.ts';
import { ExecutorKeeper } from './executor-keeper.ts';
import { createFrameReader, decodeFrame, encodeFrame, MAX_RESULT_BYTES } from './frames.ts';
import { EXIT_STALE, type SpawnerInit, type SpawnerOutput, type SpawnerRequest } from './protocol.ts';

/** An executor that says what a test makes it say. Its pid is this process's, so that there is something to look at. */
class FakeExecutor extends EventEmitter implements StartedChild {
  readonly pid: number = process.pid;
  readonly heard: unknown[] = [];
  killed = false;
  readonly stdout: EventEmitter = new EventEmitter();
  readonly stderr: EventEmitter = new EventEmitter();
  readonly #frames = createFrameReader(MAX_RESULT_BYTES, (body) => this.heard.push(decodeFrame(body)));
  readonly stdin = {
    write: (bytes: Uint8Array): void => {
      this.#frames.push(Buffer.from(bytes));
    },
    end: (): void => undefined,
    on: (): void => undefined,
  };
  kill(): void {
    this.killed = true;
    this.end(null, 'SIGKILL');
  }
  say(value: unknown): void {
    this.stdout.emit('data', encodeFrame(value));
  }
  end(status: number | null, signal: string | null = null): void {
    this.emit('close', status, signal);
  }
  getReady(): void {
    this.say({ kind: 'ready', pid: this.pid, confined: true, detail: [], store: 'open' });
  }
}

const INIT: SpawnerInit = {
  kind: 'init',
  command: 'node',
  commandArguments: ['executor.js'],
  memoryBytes: 64 * 1024 * 1024,
  settings: { databases: [], temporaryViews: [], schema: EVENTS_SCHEMA, maxSqlBytes: 1024 },
};

const request = (id: number, deadlineMs = 60_000): SpawnerRequest => ({
  kind: 'request',
  id,
  deadlineMs,
  lane: 'quick',
  work: { type: 'validate', sql: `SELECT ${id}`, allowedParameters: [] },
});

function keep() {
  const started: FakeExecutor[] = [];
  const commands: string[] = [];
  const outputs: { readonly output: SpawnerOutput; readonly answer: unknown }[] = [];
  const keeper = new ExecutorKeeper({
    init: INIT,
    spawner: ['seccomp'],
    start: (command) => {
      const executor = new FakeExecutor();
      started.push(executor);
      commands.push(command);
      return executor;
    },
    emit: (output, answer) => outputs.push({ output, answer: answer === undefined ? undefined : decodeFrame(answer) }),
  });
  const newest = (): FakeExecutor => {
    const executor = started.at(-1);
    if (executor === undefined) throw new Error('none was started');
    return executor;
  };
  const kinds = (): string[] => outputs.map(({ output }) => output.kind);
  return { keeper, started, commands, outputs, newest, kinds };
}

describe('ExecutorKeeper', () => {
  it('gives requests one at a time, in order, to an executor that is ready, and passes its answers on', () => {
    const { keeper, newest, outputs } = keep();
    keeper.submit(request(1));
    keeper.submit(request(2));
    expect(newest().heard).toEqual([expect.objectContaining({ kind: 'init' })]);
    newest().getReady();
    expect(newest().heard.slice(1)).toMatchObject([{ kind: 'work', work: { sql: 'SELECT 1' } }]);
    newest().say({ kind: 'validation', validation: { ok: true, columns: [], tables: [] } });
    newest().say({ kind: 'validation', validation: { ok: true, columns: ['x'], tables: [] } });
    expect(outputs).toMatchObject([
      { output: { kind: 'executor_ready', spawner: ['seccomp'] } },
      { output: { kind: 'answer', id: 1 } },
      { output: { kind: 'answer', id: 2 }, answer: { validation: { columns: ['x'] } } },
    ]);
    keeper.close();
    expect(newest().killed).toBe(true);
  });

  it('kills an executor at the deadline of its request, says so, and starts another for the next', async () => {
    const { keeper, started, outputs, newest } = keep();
    newest().getReady();
    keeper.submit(request(1, 30));
    keeper.submit(request(2));
    await expect.poll(() => started.length, { timeout: 10_000 }).toBe(2);
    expect(started[0]?.killed).toBe(true);
    expect(outputs.map(({ output }) => output)).toContainEqual(
      expect.objectContaining({ kind: 'lost', id: 1, loss: 'timeout', message: expect.stringContaining('30 ms') }),
    );
    newest().getReady();
    expect(newest().heard.at(-1)).toMatchObject({ work: { sql: 'SELECT 2' } });
    keeper.close();
  });

  it('tells of an executor that died in a request, with the signal', () => {
    const { keeper, outputs, newest, started } = keep();
    newest().getReady();
    keeper.submit(request(1));
    newest().end(null, 'SIGSEGV');
    expect(outputs.map(({ output }) => output)).toContainEqual(
      expect.objectContaining({ kind: 'lost', id: 1, loss: 'crashed', message: expect.stringContaining('SIGSEGV') }),
    );
    expect(started).toHaveLength(2);
    keeper.close();
  });

  it('gives a request once more to a fresh executor where the first was stale, and not a third time', () => {
    const { keeper, outputs, newest } = keep();
    newest().getReady();
    keeper.submit(request(1));
    newest().end(EXIT_STALE);
    newest().getReady();
    expect(newest().heard.at(-1)).toMatchObject({ work: { sql: 'SELECT 1' } });
    newest().end(EXIT_STALE);
    expect(outputs.filter(({ output }) => output.kind === 'lost')).toHaveLength(1);
    keeper.close();
  });

  it('trusts nothing that an executor says without being asked', () => {
    const { keeper, newest, started, kinds } = keep();
    newest().getReady();
    newest().say({ kind: 'outcome' });
    expect(started[0]?.killed).toBe(true);
    expect(kinds()).toContain('executor_died');
    keeper.close();
  });

  it('answers at once where no executor gets ready, and bounds what waits', async () => {
    const { keeper, started, newest, outputs } = keep();
    for (let i = 1; i <= 257; i++) keeper.submit(request(i));
    expect(outputs).toMatchObject([{ output: { kind: 'lost', id: 257, loss: 'failed' } }]);
    for (let i = 1; i <= 3; i++) {
      await expect.poll(() => started.length, { timeout: 10_000 }).toBe(i);
      newest().stderr.emit('data', Buffer.from('cannot find module'));
      newest().end(1);
    }
    await expect.poll(() => outputs.filter(({ output }) => output.kind === 'lost').length, { timeout: 10_000 }).toBe(257);
    keeper.submit(request(300));
    expect(outputs.at(-1)?.output).toMatchObject({
      kind: 'lost',
      id: 300,
      // Not 'crashed', which a rule is blamed for.
      loss: 'failed',
      message: expect.stringContaining('No executor can be started'),
    });
    expect(new Set(outputs.flatMap(({ output }) => (output.kind === 'lost' ? [output.loss] : [])))).toEqual(new Set(['failed']));
    keeper.close();
  });
});
