/**
 * The program of an executor: takes settings, opens the databases, confines itself, then judges and runs statements
 * one by one until its input ends. It trusts its parent's frames; the statements in them are hostile.
 */
import { messageOf } from '@sentineld/model/error';
import { confineExecutor } from '@sentineld/runtime/lifecycle/confine-executor';
import { createFrameReader, decodeFrame, encodeFrame, MAX_RESULT_BYTES } from './frames.ts';
import { EXIT_STALE, isExecutorInput, type ExecutorAnswer, type ExecutorInit, type ReadyFrame, type ExecutorRequest } from './protocol.ts';
import { openSession } from './session.ts';

function main(): void {
  let handle: (request: ExecutorRequest) => void = () => process.exit(70);
  // The parent ends executors by SIGKILL or by closing their input; a Ctrl-C in its terminal is the parent's business.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  const frames = createFrameReader(MAX_RESULT_BYTES, (body) => {
    const input = decodeFrame(body);
    if (!isExecutorInput(input)) process.exit(70);
    if (input.kind === 'work') handle(input);
    else handle = start(input);
  });
  process.stdin.on('data', (bytes: Buffer) => {
    if (!frames.push(bytes)) process.exit(70);
  });
  process.stdin.on('end', () => process.exit(0));
  process.stdout.on('error', () => process.exit(0));
}

function start({ settings }: ExecutorInit): (request: ExecutorRequest) => void {
  const session = openSession(settings);
  const { confined, detail, allowCpu } = confineExecutor();
  const ready: ReadyFrame = { kind: 'ready', pid: process.pid, confined, detail, store: session.store };
  process.stdout.write(encodeFrame(ready));
  return ({ work, cpuSeconds }) => {
    // Should the spawner be killed while a statement runs, the kernel ends this process in its place.
    allowCpu(cpuSeconds);
    const answer = session.answer(work);
    if (answer === 'stale') process.exit(EXIT_STALE);
    process.stdout.write(encodeAnswer(answer));
  };
}

function encodeAnswer(answer: ExecutorAnswer): Buffer {
  try {
    return encodeFrame(answer);
  } catch (thrown) {
    const failed: ExecutorAnswer = { kind: 'failed', code: 'query.failed', message: messageOf(thrown) };
    return encodeFrame(failed);
  }
}

main();
