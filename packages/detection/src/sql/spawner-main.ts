/**
 * The program that starts and ends executors, for an agent that may not start programs itself once it is confined. It
 * parses no SQL and no answers. It lives as long as its input: when the agent dies, so do it and the executor.
 */
import { spawn } from 'node:child_process';
import { confineSpawner } from '@sentineld/runtime/lifecycle/confine-executor';
import type { StartProgram } from './child-program.ts';
import { createLanes, type Lanes } from './executor-lanes.ts';
import { createFrameReader, decodeFrame, encodeFrame, frameOf, MAX_RESULT_BYTES } from './frames.ts';
import { childEnvironment, isSpawnerInput, type SpawnerInit, type SpawnerOutput } from './protocol.ts';

function main(): void {
  let lanes: Lanes | undefined;
  const stop = (status: number): never => {
    lanes?.close();
    process.exit(status);
  };
  // A Ctrl-C reaches every process of the terminal; the agent decides when its executors end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  const frames = createFrameReader(MAX_RESULT_BYTES, (body) => {
    const input = decodeFrame(body);
    if (!isSpawnerInput(input)) return stop(70);
    if (input.kind === 'init') lanes = begin(input);
    else lanes?.submit(input);
    return undefined;
  });
  process.stdin.on('data', (bytes: Buffer) => {
    if (!frames.push(bytes)) stop(70);
  });
  process.stdin.on('end', () => stop(0));
  process.stdin.on('error', () => stop(0));
  process.stdout.on('error', () => stop(0));
}

function begin(init: SpawnerInit): Lanes {
  const { detail } = confineSpawner();
  const emit = (output: SpawnerOutput, answer?: Buffer): void => {
    process.stdout.write(encodeFrame(output));
    if (answer !== undefined) process.stdout.write(frameOf(answer));
  };
  const start: StartProgram = (command, commandArguments) => spawn(command, commandArguments, { stdio: 'pipe', env: childEnvironment() });
  return createLanes({ start, init, spawner: detail, emit });
}

main();
