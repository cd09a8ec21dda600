/**
 * procmond's source as a line child, in the JavaScript that procmond runs. `cold`: each line is the first scan of a
 * fresh source. `steady`: each line is some scans of one source that has seen every process before.
 */
import { readFileSync } from 'node:fs';
import { DEFAULTS } from '@sentineld/runtime/config/config';
import { createLinuxProcSource } from '../../packages/procmond/src/sources/linux-proc.ts';
import type { ProcessSource } from '../../packages/procmond/src/sources/process-source.ts';
import { answerLines, measure } from './measured-program.ts';

/** What procmond asks its addon for: the soft limit, which Node has raised to the hard one. */
function openFileLimit(): number {
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return Number(soft ?? 1024);
}

function createSource(): ProcessSource {
  return createLinuxProcSource({ openFileLimit: openFileLimit(), argvLimitBytes: DEFAULTS.collection.argv_limit });
}

async function answerCold(): Promise<object> {
  let source: ProcessSource | null = null;
  const measured = await measure(() => {
    source = createSource();
    return source.scan().processes.length;
  });
  // Giving up what the source holds is not part of a scan.
  (source as ProcessSource | null)?.close();
  return measured;
}

if (process.argv[2] === 'cold') {
  await answerLines(answerCold);
} else {
  const scans = Number(process.argv[3] ?? 1);
  const source = createSource();
  source.scan();
  await answerLines(async () => {
    const total = await measure(() => {
      let seen = 0;
      for (let i = 0; i < scans; i++) seen = source.scan().processes.length;
      return seen;
    });
    return { ...total, cpuMs: total.cpuMs / scans, wallMs: total.wallMs / scans };
  });
}
