/**
 * procmond's source, bundled like procmond, as a line child: `BUNDLE cold` answers each line with the first scan of a
 * fresh source, `BUNDLE steady N` with the mean of N scans of one source that has seen every process before.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type * as LinuxProc from '../../packages/procmond/src/sources/linux-proc.ts';
import { DEFAULTS } from '@sentineld/runtime/config/config';
import { keepSmall } from '@sentineld/runtime/lifecycle/node-flags';
import { answerLines, measure } from './measured-program.ts';

type ProcessSource = ReturnType<typeof LinuxProc.createLinuxProcSource>;

/** What procmond asks its addon for: the soft limit, which Node has raised to the hard one. */
function openFileLimit(): number {
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return Number(soft ?? 1024);
}

const [, , bundle = '', mode, repeats = '1'] = process.argv;
const { createLinuxProcSource } = (await import(pathToFileURL(bundle).href)) as typeof LinuxProc;

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

if (mode === 'cold') {
  await answerLines(answerCold);
} else {
  const scans = Number(repeats);
  const source = createSource();
  source.scan();
  // As procmond does after its first scan.
  keepSmall();
  await answerLines(async () => {
    const total = await measure(() => {
      let seen = 0;
      for (let i = 0; i < scans; i++) seen = source.scan().processes.length;
      return seen;
    });
    return { ...total, cpuMs: total.cpuMs / scans, wallMs: total.wallMs / scans };
  });
}
