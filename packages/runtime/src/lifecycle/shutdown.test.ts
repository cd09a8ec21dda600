import { afterEach, describe, expect, it, vi } from 'vitest';
import { endProgram, startProgram, type Program } from './fixtures/program.fixture.ts';
import { startTicksOf } from './process-identity.ts';
import { listenForStop, type StopReason } from './shutdown.ts';

const LISTENER = new URL('fixtures/stop-listener.fixture.ts', import.meta.url);

const programs: Program[] = [];
afterEach(async () => {
  await Promise.all(programs.splice(0).map(endProgram));
});

function started(program: Program): Program {
  programs.push(program);
  return program;
}

async function listen(...words: string[]): Promise<Program> {
  const program = started(startProgram(LISTENER, words));
  expect(await program.line()).toBe('listening');
  return program;
}

/** Something that lives until it is ended. */
const sleeper = (): Program => started(startProgram(['sleep', '1000']));

describe('listenForStop', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('tells %s, and lets the process end by itself', async (signal) => {
    const program = await listen();
    program.child.kill(signal);
    expect(await program.line()).toBe(signal);
    expect(await program.ended).toEqual({ status: 0, signal: null, stderr: '' });
  });

  it('gives SIGHUP another meaning where it has one', async () => {
    const program = await listen('hangup');
    program.child.kill('SIGHUP');
    expect(await program.line()).toBe('hangup');
    program.child.kill('SIGTERM');
    expect(await program.line()).toBe('SIGTERM');
  });

  it('tells the first reason alone', async () => {
    const program = await listen('twice', 'hangup');
    program.child.kill('SIGTERM');
    expect(await program.line()).toBe('SIGTERM');
    program.child.kill('SIGINT');
    program.child.kill('SIGTERM');
    program.child.kill('SIGHUP');
    expect(await program.line()).toBe('hangup');
  });

  it('tells the death of the parent', async () => {
    // A shell that does not become the program: it waits for it, and is killed.
    const script = `"${process.execPath}" --conditions=sentineld-source "$0" parent & echo $!; wait`;
    const shell = started(startProgram(['sh', '-c', script, LISTENER.pathname]));
    const pid = Number(await shell.line());
    expect(await shell.line()).toBe('listening');
    const startTicks = startTicksOf(pid);
    shell.child.kill('SIGKILL');
    expect(await shell.line()).toBe('parent_died');
    // Its standard output, which it shares with the shell, is closed: it has ended too.
    await shell.ended;
    await expect.poll(() => startTicksOf(pid) === startTicks).toBe(false);
  });

  it('tells the death of a process that is watched, also one that nobody has waited for yet', async () => {
    const [first, second] = [sleeper(), sleeper()];
    const program = await listen(String(first.pid), String(second.pid));
    await endProgram(second);
    expect(await program.line()).toBe('parent_died');
    expect((await program.ended).status).toBe(0);
  });

  it('stops for a process that was gone before it could be watched', async () => {
    const gone = sleeper();
    await endProgram(gone);
    const program = await listen(String(gone.pid));
    expect(await program.line()).toBe('parent_died');
  });
});

describe('listening in this process', () => {
  const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const listeners = (): number[] => SIGNALS.map((signal) => process.listenerCount(signal));

  it('ends without a trace', () => {
    vi.useFakeTimers();
    try {
      const before = listeners();
      const reasons: StopReason[] = [];
      const stopListening = listenForStop({ watchParent: true, watchPids: [process.pid], onStop: (reason) => reasons.push(reason) });
      expect(listeners()).toEqual(before.map((count) => count + 1));
      vi.advanceTimersByTime(5000);
      expect(reasons).toEqual([]);
      stopListening();
      expect(listeners()).toEqual(before);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('tells a parent that is another one now, once', () => {
    vi.useFakeTimers();
    const ppid = vi.spyOn(process, 'ppid', 'get').mockReturnValue(100);
    try {
      const reasons: StopReason[] = [];
      const stopListening = listenForStop({ watchParent: true, onStop: (reason) => reasons.push(reason) });
      const ignoring = listenForStop({ watchParent: false, onStop: () => reasons.push('SIGHUP') });
      ppid.mockReturnValue(1);
      vi.advanceTimersByTime(5000);
      expect(reasons).toEqual(['parent_died']);
      stopListening();
      ignoring();
    } finally {
      ppid.mockRestore();
      vi.useRealTimers();
    }
  });
});
