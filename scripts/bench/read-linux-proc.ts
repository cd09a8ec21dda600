/**
 * procmond's source, bundled like procmond, as a line child: `BUNDLE cold 1` answers each line with the first scan of a
 * fresh source, `BUNDLE steady N` with the mean of N scans of one source that has seen every process before. `plain` after
 * them leaves the addon out, and a number lets so many processes be held open. The addon's bundle lies beside the source's.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type * as Addon from '../../packages/native/src/addon.ts';
import type * as LinuxProc from '../../packages/procmond/src/sources/linux-proc.ts';
import { createRedactor } from '@sentineld/model/redact';
import { DEFAULTS } from '@sentineld/runtime/config/config';
import { keepSmall } from '@sentineld/runtime/lifecycle/node-flags';
import { answerLines, measure } from './measured-program.ts';

type ProcessSource = ReturnType<typeof LinuxProc.createLinuxProcSource>;

const [, , bundle = '', mode, repeats = '1', way = ''] = process.argv;
/** What the source leaves for everything else. */
const SPARE_DESCRIPTORS = 256;

/** What procmond asks its addon for: the soft limit, which Node has raised to the hard one. */
function openFileLimit(): number {
  if (/^\d+$/.test(way)) return Number(way) + SPARE_DESCRIPTORS;
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return Number(soft ?? 1024);
}

const { createLinuxProcSource } = (await import(pathToFileURL(bundle).href)) as typeof LinuxProc;

const { loadNative } = (await import(new URL('addon.js', pathToFileURL(bundle)).href)) as typeof Addon;
const addon = loadNative();
if (!addon.available) throw new Error(addon.reason);
const native = way === 'plain' ? null : addon.native;
const redact = createRedactor({ enabled: true, names: [], patterns: [] });

function createSource(): ProcessSource {
  return createLinuxProcSource({
    openFileLimit: openFileLimit(),
    argvLimitBytes: DEFAULTS.collection.argv_limit,
    redact,
    native,
  });
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
  const { processes } = source.scan();
  const isLimited = openFileLimit() - SPARE_DESCRIPTORS < processes.length;
  if (isLimited !== source.notes().length > 0) throw new Error(`says of its descriptors: ${source.notes().join(', ') || 'nothing'}`);
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
