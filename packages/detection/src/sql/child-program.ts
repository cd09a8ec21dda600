/**
 * A program that was started with three pipes, as its parent holds it: spoken to in frames, ended by SIGKILL. It takes
 * the started child as an argument: only the two files that may start programs do.
 */
import { createFrameReader, encodeFrame, MAX_RESULT_BYTES } from './frames.ts';

type Source = { on(event: 'data', listener: (bytes: Buffer) => void): unknown };

/** The part of node:child_process's child that is used here. */
export type StartedChild = {
  readonly pid?: number | undefined;
  readonly stdin: { write(bytes: Uint8Array): unknown; end(): unknown; on(event: 'error', listener: () => void): unknown };
  readonly stdout: Source;
  readonly stderr: Source;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close', listener: (status: number | null, signal: string | null) => void): unknown;
  kill(signal: 'SIGKILL'): unknown;
};

/** Starts a program with pipes for its input, output and errors, and an environment without the parent's. */
export type StartProgram = (command: string, commandArguments: readonly string[]) => StartedChild;

export type ProgramEnd = {
  readonly status: number | null;
  /** How it ended, with the last of what it wrote to stderr. */
  readonly message: string;
};

export type ChildProgram = {
  /** 0 where it could not be started. */
  readonly pid: number;
  readonly send: (value: unknown) => void;
  /** Ends its input, and with that, in time, the program. */
  readonly finish: () => void;
  readonly kill: () => void;
};

export type ChildEvents = {
  readonly onFrame: (body: Buffer) => void;
  /** Once, after its last frame. */
  readonly onEnd: (end: ProgramEnd) => void;
};

const STDERR_KEPT = 2_000;

/** Listens to a child; `name` begins the sentence about its end. A child that breaks the framing is killed. */
export function holdChild(name: string, child: StartedChild, events: ChildEvents): ChildProgram {
  let stderr = '';
  let ended = false;
  const end = (status: number | null, how: string): void => {
    if (ended) return;
    ended = true;
    const detail = stderr.trim();
    events.onEnd({ status, message: detail === '' ? `${name} ${how}` : `${name} ${how}: ${detail}` });
  };
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const frames = createFrameReader(MAX_RESULT_BYTES, events.onFrame);
  child.stdout.on('data', (bytes) => {
    if (!ended && !frames.push(bytes)) kill();
  });
  child.stderr.on('data', (bytes) => {
    stderr = (stderr + bytes.toString('utf8')).slice(-STDERR_KEPT);
  });
  // Its death is told by 'close', after its last output; a write to it must not end this process.
  child.stdin.on('error', () => {});
  child.on('error', (error) => end(null, `cannot be started: ${error.message}`));
  child.on('close', (status, signal) =>
    end(status, signal === null ? `ended with status ${status ?? 'unknown'}` : `was ended by ${signal}`),
  );
  return {
    pid: child.pid ?? 0,
    send: (value) => void child.stdin.write(encodeFrame(value)),
    finish: () => void child.stdin.end(),
    kill,
  };
}
