/**
 * The other end of a line child: answers each line of standard input with one line of JSON, and ends with its input.
 */
import { createInterface } from 'node:readline';
import type { Measured } from './line-child.ts';

export type Work = () => number | Promise<number>;

/** CPU and wall time of `work`, which gives what it counted. `childrenCpuMs` adds what ended children used. */
export async function measure(work: Work, childrenCpuMs: () => number = () => 0): Promise<Measured> {
  const children = childrenCpuMs();
  const cpu = process.cpuUsage();
  const started = performance.now();
  const count = await work();
  const wallMs = performance.now() - started;
  const used = process.cpuUsage(cpu);
  return { cpuMs: (used.user + used.system) / 1000 + childrenCpuMs() - children, wallMs, count };
}

export async function answerLines(answer: (line: string) => Promise<object>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  // Not by running out of work: what still hangs on a timer or a descriptor must not keep it.
  process.exit(0);
}

export type Writing = { readonly recordOne: () => Promise<Measured>; readonly stop: () => void };

/** A writer of scans: "N" writes N of them, "finish" empties the WAL into the file. */
export function answerWriting({ recordOne, stop }: Writing): Promise<void> {
  return answerLines(async (line) => {
    if (line !== 'finish') {
      const total = { cpuMs: 0, wallMs: 0, count: 0 };
      for (let i = 0; i < Number(line); i++) {
        const { cpuMs, wallMs, count } = await recordOne();
        total.cpuMs += cpuMs;
        total.wallMs += wallMs;
        total.count += count;
      }
      return total;
    }
    return measure(() => {
      stop();
      return 0;
    });
  });
}
