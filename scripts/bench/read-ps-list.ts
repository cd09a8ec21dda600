/**
 * ps-list as a line child: each line is one list. It runs ps(1), so what its children use is counted, to the clock tick
 * in which the kernel tells it.
 */
import { readFileSync } from 'node:fs';
import psList from 'ps-list';
import { answerLines, measure } from './measured-program.ts';

const TICK_MS = 10;

/** User and system time of children that were waited for: fields 16 and 17 of proc_pid_stat(5). */
function childrenCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

await answerLines(() => measure(async () => (await psList()).length, childrenCpuMs));
