/**
 * `bench store`: what a scan and the events before it cost on disk and in CPU time, the store's writer beside one plain
 * row per process per scan and no events, taking turns scan by scan on the same workload; and how long readers wait in
 * a store of one day.
 */
import { rmSync, statSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { bundleProgram, linkSqliteDriver } from './build-programs.ts';
import { askMeasured, startLineChild, type LineChild } from './line-child.ts';
import { eventsPerScan, SCAN_INTERVAL_MS } from './process-workload.ts';
import { atLeast, atMost, type Findings } from './report.ts';
import { loadFigures, type Run } from './run.ts';
import { median, rounded } from './statistics.ts';
import { compareStores, measureReads } from './store-reads.ts';

type Form = { readonly processes: number; readonly scans: number; readonly passes: number; readonly dayScans: number };

const FULL: Form = { processes: 10_000, scans: 60, passes: 3, dayScans: 86_400_000 / SCAN_INTERVAL_MS };
const QUICK: Form = { processes: 200, scans: 20, passes: 1, dayScans: 60 };

/** Of events.db (packages/store/src/events/writer.ts), and what better-sqlite3 takes unless told. */
const CACHE_KIB = 4096;
const DRIVERS_CACHE_KIB = 16_000;
const BYTES_NEEDED = 3 * 1024 ** 3;
const DAY_CHUNKS = 30;

type Written = { readonly rowsPerCpuSecond: number; readonly bytesPerRow: number };
type Writer = { readonly name: 'ours' | 'plain' | 'plainLargeCache'; readonly file: string; readonly child: LineChild };

export async function benchStore(run: Run): Promise<Findings> {
  const form = run.quick ? QUICK : FULL;
  const { bavail, bsize } = statfsSync(run.directory);
  if (!run.quick && bavail * bsize < BYTES_NEEDED)
    throw new Error(`${run.directory} has ${bavail * bsize} bytes left, ${BYTES_NEEDED} are needed`);
  linkSqliteDriver(run);
  const programs = {
    ours: await bundleProgram(run, 'write-events'),
    plain: await bundleProgram(run, 'write-plain'),
    reads: await bundleProgram(run, 'read-events'),
  };
  const passes: ReadonlyMap<Writer['name'], Written>[] = [];
  for (let pass = 0; pass < form.passes; pass++) passes.push(await writePass(run, form, programs, pass));
  const taken = (name: Writer['name'], value: (written: Written) => number): number => {
    const values = passes.flatMap((pass) => pass.get(name) ?? []).map(value);
    return rounded(median(values));
  };
  const day = await writeDay(run, form, programs.ours);
  const { reads, historyMs, middleMs, oldMs } = await measureReads(run, programs.reads, day.file, form);
  const [ours, plain] = [taken('ours', (one) => one.rowsPerCpuSecond), taken('plain', (one) => one.rowsPerCpuSecond)];
  const [oursBytes, plainBytes] = [taken('ours', (one) => one.bytesPerRow), taken('plain', (one) => one.bytesPerRow)];
  const ratios = { rowsPerCpuSecond: rounded(ours / plain), bytesPerRow: rounded(oursBytes / plainBytes) };
  return {
    ratios,
    figures: {
      loadAverage: loadFigures(),
      write: {
        processes: form.processes,
        scans: form.scans,
        passes: form.passes,
        eventsPerScan: eventsPerScan(form.processes),
        rowsPerCpuSecond: ours,
        plainRowsPerCpuSecond: plain,
        plainRowsPerCpuSecondLargeCache: taken('plainLargeCache', (one) => one.rowsPerCpuSecond),
        bytesPerRow: oursBytes,
        plainBytesPerRow: plainBytes,
      },
      day: day.figures,
      read: reads,
    },
    targets: [
      atLeast('rowsPerCpuSecond', ratios.rowsPerCpuSecond, 28),
      atMost('bytesPerRow', oursBytes, 16, 'B'),
      atMost('history of a pid', historyMs, 60, 'ms'),
      atMost('middle scan, counted', middleMs, 10, 'ms'),
      atMost('old scan, counted', oldMs, 10, 'ms'),
    ],
    missing: [],
  };
}

type Programs = Readonly<Record<'ours' | 'plain' | 'reads', readonly string[]>>;

/** All writers on new files, one scan each in turn; every pass ends with a look whether they hold the same. */
async function writePass(run: Run, form: Form, programs: Programs, pass: number): Promise<ReadonlyMap<Writer['name'], Written>> {
  const start = (name: Writer['name'], program: readonly string[], ...more: readonly string[]): Writer => {
    const file = join(run.directory, `${name}-${pass}.db`);
    const words = [...program, file, String(form.processes), ...more];
    return { name, file, child: startLineChild(run, name, process.execPath, words) };
  };
  const writers = [start('ours', programs.ours), start('plain', programs.plain, String(CACHE_KIB))];
  // Once is enough for a figure that no target hangs on.
  if (pass === 0) writers.push(start('plainLargeCache', programs.plain, String(DRIVERS_CACHE_KIB)));
  const cpuMs = new Map(writers.map(({ name }) => [name, 0]));
  for (let scan = 0; scan < form.scans; scan++) {
    for (let i = 0; i < writers.length; i++) {
      const writer = writers[(scan + i) % writers.length];
      if (writer === undefined) continue;
      const written = await askMeasured(writer.child, '1');
      cpuMs.set(writer.name, (cpuMs.get(writer.name) ?? 0) + written.cpuMs);
    }
    if ((scan + 1) % Math.ceil(form.scans / 5) === 0)
      run.progress(`write, pass ${pass + 1} of ${form.passes}: scan ${scan + 1} of ${form.scans}`);
  }
  const rows = form.scans * form.processes;
  const written = new Map<Writer['name'], Written>();
  for (const { name, file, child } of writers) {
    const total = (cpuMs.get(name) ?? 0) + (await askMeasured(child, 'finish')).cpuMs;
    written.set(name, { rowsPerCpuSecond: (rows * 1000) / total, bytesPerRow: statSync(file).size / rows });
    await child.stop();
  }
  const [ours, plain] = writers;
  if (ours !== undefined && plain !== undefined) await compareStores(run, programs.reads, ours.file, plain.file, form);
  for (const { file } of writers) removeDatabase(file);
  return written;
}

/** A store as it is after a day of scans. */
async function writeDay(run: Run, form: Form, program: readonly string[]) {
  const file = join(run.directory, 'day.db');
  const child = startLineChild(run, 'day', process.execPath, [...program, file, String(form.processes)]);
  let cpuMs = 0;
  let wallMs = 0;
  for (let done = 0; done < form.dayScans;) {
    const scans = Math.min(Math.ceil(form.dayScans / DAY_CHUNKS), form.dayScans - done);
    const written = await askMeasured(child, String(scans));
    cpuMs += written.cpuMs;
    wallMs += written.wallMs;
    done += scans;
    if (!run.quick) run.progress(`a day of scans: ${done} of ${form.dayScans}`);
  }
  await askMeasured(child, 'finish');
  await child.stop();
  const bytes = statSync(file).size;
  return {
    file,
    figures: {
      scans: form.dayScans,
      mebibytes: rounded(bytes / 1024 ** 2),
      bytesPerRow: rounded(bytes / (form.dayScans * form.processes)),
      cpuMsPerScan: rounded(cpuMs / form.dayScans),
      wallMsPerScan: rounded(wallMs / form.dayScans),
    },
  };
}

function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
}
