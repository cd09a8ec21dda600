/**
 * Processes of systems without /proc, from listings that a library makes. A listing takes a while, so it is awaited before
 * the scan (`prepare`), and the scan is made of the newest one; how old that is, and what it lacks, the coverage says.
 */
import { loadavg, uptime } from 'node:os';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { ExecutableFile, ProcessImage, ProcessRecord } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import { executableOf, lookAtFile, makeImage, type ImageMaker, type LookAtFile } from './portable-image.ts';
import type { Listing, PortableRow } from './portable-row.ts';
import { isSameImage } from './process-image.ts';
import type { ProcessSource } from './process-source.ts';
import { coverageOf } from './scan-coverage.ts';

/** A listing that takes longer is not waited for; it is used when it comes. */
const PATIENCE_MS = 60_000;
/** An older listing than this is worth a word. */
const FRESH_MS = 5000;

export type PortableOptions = ImageMaker & {
  readonly name: string;
  readonly list: () => Promise<Listing>;
  /** The process that is as old as this boot: 1, or 4 on Windows. */
  readonly firstPid: number;
  readonly look?: LookAtFile;
  readonly now?: () => number;
  readonly patienceMs?: number;
};

export type PortableSource = ProcessSource & { readonly prepare: () => Promise<void> };

type Known = { readonly record: ProcessRecord; seenInScan: number };
type State = {
  readonly options: PortableOptions;
  readonly look: LookAtFile;
  readonly now: () => number;
  readonly known: Map<number, Known>;
  listing: Listing | null;
  listedMs: number;
  failure: string | null;
  /** Milliseconds since 1970; what start times count from. */
  bootMs: number;
  scanNumber: number;
  isTrimmed: boolean;
};

export function createPortableSource(options: PortableOptions): PortableSource {
  const now = options.now ?? Date.now;
  const state: State = {
    options,
    look: options.look ?? lookAtFile,
    now,
    known: new Map(),
    listing: null,
    listedMs: 0,
    failure: null,
    bootMs: Math.round(now() - uptime() * 1000),
    scanNumber: 0,
    isTrimmed: false,
  };
  return {
    name: options.name,
    prepare: preparer(state),
    scan: () => scanOnce(state),
    // Only the file that was seen: not one that took its name.
    openPathOf: (file) => (isSameFile(file, state.look(file.path).file) ? file.path : null),
    lookUp: (pid) => state.known.get(pid)?.record ?? null,
    trim: (level) => {
      state.isTrimmed = level;
    },
    notes: () => [],
    close: () => state.known.clear(),
  };
}

/** Waits for a listing, one at a time; never rejects. */
function preparer(state: State): () => Promise<void> {
  const { list, patienceMs = PATIENCE_MS } = state.options;
  let running: Promise<void> | null = null;
  const listOnce = async (): Promise<void> => {
    try {
      state.listing = await list();
      state.listedMs = state.now();
      state.failure = null;
    } catch (cause) {
      state.failure = messageOf(cause);
    } finally {
      running = null;
    }
  };
  return async () => {
    running ??= listOnce();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        state.failure = `it takes longer than ${Math.round(patienceMs / 1000)} s`;
        resolve();
      }, patienceMs);
    });
    await Promise.race([running, late]);
    clearTimeout(timer);
  };
}

function scanOnce(state: State): Scan {
  const { listing, failure, options } = state;
  if (listing === null)
    throw new SentinelError('source.unavailable', { message: `the processes cannot be listed: ${failure ?? 'no listing was made yet'}` });
  const startTimeMs = state.now();
  const started = performance.now();
  state.scanNumber++;
  const { rows, errors, vanished } = oneOfEachPid(listing.rows);
  state.bootMs = rows.get(options.firstPid)?.startedMs ?? state.bootMs;
  const look = state.isTrimmed ? null : onceEach(state.look);
  const processes = [...rows.values()].map((row) => update(state, row, look));
  for (const [pid, { seenInScan }] of state.known) if (seenInScan !== state.scanNumber) state.known.delete(pid);
  const withheld = processes.filter(({ image }) => image.unseen.length > 0);
  const coverage = coverageOf({ processes, withheld, vanished, errors }, false);
  const endTimeMs = state.now();
  return {
    startTimeMs,
    endTimeMs,
    durationMs: performance.now() - started,
    bootId: `${options.name}-${state.bootMs}`,
    loadAverage: process.platform === 'win32' ? null : (loadavg()[0] ?? null),
    processes,
    coverage: { ...coverage, reason: joined([coverage.reason, ...lacksOf(state, rows), ...listing.lacks]) },
  };
}

/** Whoever has a pid twice was listed while the pid changed hands: the younger one has it now. */
function oneOfEachPid(list: readonly PortableRow[]): {
  readonly rows: ReadonlyMap<number, PortableRow>;
  readonly errors: number;
  readonly vanished: number;
} {
  const rows = new Map<number, PortableRow>();
  let errors = 0;
  let vanished = 0;
  for (const row of list) {
    if (!Number.isSafeInteger(row.pid) || row.pid < 0 || !Number.isSafeInteger(row.ppid) || row.ppid < 0) {
      errors++;
      continue;
    }
    const other = rows.get(row.pid);
    if (other !== undefined) vanished++;
    if (other === undefined || (row.startedMs ?? 0) > (other.startedMs ?? 0)) rows.set(row.pid, row);
  }
  return { rows, errors, vanished };
}

function update(state: State, row: PortableRow, look: LookAtFile | null): ProcessRecord {
  const startTicks = row.startedMs === null ? 0 : Math.max(0, row.startedMs - state.bootMs);
  const before = state.known.get(row.pid);
  const known = before?.record.startTicks === startTicks ? before : null;
  const executable = executableOf(row, known?.record.image ?? null, look);
  const image = makeImage(row, state.bootMs + startTicks, executable, state.options);
  const { record } = known ?? { record: newRecord(row.pid, startTicks, image) };
  if (!isSameImage(record.image, image)) record.image = image;
  record.cpuPercent = row.cpuPercent;
  record.memoryBytes = row.memoryBytes ?? 0;
  record.status = row.state;
  if (known === null) state.known.set(row.pid, { record, seenInScan: state.scanNumber });
  else known.seenInScan = state.scanNumber;
  return record;
}

/** Ticks are milliseconds here. */
function newRecord(pid: number, startTicks: number, image: ProcessImage): ProcessRecord {
  return { pid, startTicks, image, cpuPercent: null, memoryBytes: 0, threads: null, status: 'unknown' };
}

/** A file is looked at once in a scan, however many run it. */
function onceEach(look: LookAtFile): LookAtFile {
  const looks = new Map<string, ReturnType<LookAtFile>>();
  return (path) => {
    const known = looks.get(path) ?? look(path);
    looks.set(path, known);
    return known;
  };
}

function lacksOf(state: State, rows: ReadonlyMap<number, PortableRow>): string[] {
  const ageMs = state.now() - state.listedMs;
  const startless = [...rows.values()].filter(({ startedMs }) => startedMs === null).length;
  return [
    ...(state.failure !== null || ageMs > FRESH_MS
      ? [`the listing is ${Math.max(0, Math.round(ageMs / 1000))} s old${state.failure === null ? '' : ` (${state.failure})`}`]
      : []),
    ...(startless > 0 ? [`the start of ${startless} of ${rows.size} processes is not known: a pid that is used again goes unnoticed`] : []),
  ];
}

function joined(sentences: readonly (string | null)[]): string | null {
  return sentences.filter((sentence) => sentence !== null).join('; ') || null;
}

function isSameFile(a: ExecutableFile, b: ExecutableFile | null): boolean {
  return b !== null && a.dev === b.dev && a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs;
}
