/**
 * Processes of Linux, from /proc. One file of each known process is kept open and read again at offset 0: a held
 * descriptor belongs to its process for ever, so a reused pid cannot be taken for the old one. Where that file is as it
 * was, nothing else is read. Everything else is read once, again when exec or a change of parent or owner shows, and in turn.
 */
import { closeSync, readFileSync } from 'node:fs';
import { loadavg, uptime } from 'node:os';
import type { ExecutableFile } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import { NUMBER, WANT } from '@sentineld/native/process-files';
import { createExecutableGroups } from './executable-groups.ts';
import { readKernelConstants } from './kernel-constants.ts';
import { newlyMet, NOT_HELD, type KnownProcess } from './known-process.ts';
import { createProcFiles, numberOf, type ProcCalls } from './proc-files.ts';
import { statusOf, WITHHELD_LAYOUT, ZOMBIE } from './proc-stat.ts';
import { createArgumentsReader, createExecutableReader, type Redact } from './process-details.ts';
import { hasOtherOwner } from './process-image.ts';
import type { ProcessSource } from './process-source.ts';
import { createSurroundingsReader } from './process-surroundings.ts';
import { readDetails, wantedOf, type DetailsReader } from './read-details.ts';
import { coverageOf, type Seen } from './scan-coverage.ts';
import { createStatReader } from './stat-reader.ts';
import { createUserNames } from './user-names.ts';
import { countsRunTime, hasLostParent, heldStat, holdAgain, refitWatch } from './watched-file.ts';

/** What changes unseen is looked for in turn, every this many scans: memory and owner soon, all details in time. */
const TURN_SCANS = 32;
const DETAIL_SCANS = 128;
/** Descriptors left for everything that is not a held `stat`. */
const SPARE_DESCRIPTORS = 256;
/** A process younger than this may be about to call exec: what was read of it is confirmed. */
const YOUNG_SECONDS = 5;

export type LinuxProcOptions = {
  /** Soft limit of open files: decides how many processes can be held open. */
  readonly openFileLimit: number;
  /** Bytes of arguments kept per process. */
  readonly argvLimitBytes: number;
  /** Takes secrets out of arguments before anybody else sees them. */
  readonly redact: Redact;
  /** The addon; null where there is none. Then the same is read by more calls. */
  readonly native: ProcCalls | null;
  readonly now?: () => number;
};

export function createLinuxProcSource(options: LinuxProcOptions): ProcessSource {
  const state = createState(options);
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return {
    name: 'linux-proc',
    scan: () => scanOnce(state, bootId),
    openPathOf: (file: ExecutableFile) => {
      const member = state.groups.memberOf(file);
      return member === null ? null : `/proc/${member.pid}/exe`;
    },
    lookUp: (pid) => state.known.get(pid) ?? null,
    trim: (level) => {
      state.isTrimmed = level;
    },
    notes: () => notesOn(state.known.size - state.held),
    close: () => {
      for (const process of state.known.values()) releaseDescriptor(state, process);
      state.known.clear();
    },
  };
}

function notesOn(unheld: number): string[] {
  return unheld > 0 ? [`${unheld} processes are read without a held descriptor (limit of open files)`] : [];
}

type SourceState = DetailsReader & {
  readonly known: Map<number, KnownProcess>;
  readonly countsRunTime: boolean;
  held: number;
  readonly heldLimit: number;
  scanNumber: number;
  /** The scan before, by a clock that nobody sets, and how far this one is in the list: both tell when a process was read. */
  before: { readonly startedMs: number; readonly durationMs: number };
  readonly progress: { at: number; of: number };
  readonly now: () => number;
};

function createState({ openFileLimit, argvLimitBytes, redact, native, now = Date.now }: LinuxProcOptions): SourceState {
  const files = createProcFiles(argvLimitBytes, native);
  const reader = createStatReader(files.buffer);
  return {
    known: new Map(),
    groups: createExecutableGroups(),
    users: createUserNames(),
    readExecutable: createExecutableReader(),
    readSurroundings: createSurroundingsReader(),
    readArguments: createArgumentsReader(redact),
    kernel: readKernelConstants(),
    files,
    reader,
    stat: reader.stat,
    countsRunTime: countsRunTime(),
    held: 0,
    heldLimit: Math.max(0, openFileLimit - SPARE_DESCRIPTORS),
    isTrimmed: false,
    scanNumber: 0,
    youngSinceTicks: 0,
    before: { startedMs: 0, durationMs: 0 },
    progress: { at: 0, of: 1 },
    now,
  };
}

function scanOnce(state: SourceState, bootId: string): Scan {
  const startTimeMs = state.now();
  const started = performance.now();
  state.scanNumber++;
  state.youngSinceTicks = (uptime() - YOUNG_SECONDS) * state.kernel.ticksPerSecond;
  state.users.refresh();
  const seen = visitAll(state);
  state.groups.refreshDeleted();
  state.before = { startedMs: started, durationMs: performance.now() - started };
  return {
    startTimeMs,
    endTimeMs: state.now(),
    durationMs: state.before.durationMs,
    bootId,
    loadAverage: loadavg()[0] ?? null,
    processes: seen.processes,
    coverage: coverageOf(seen),
  };
}

/** Reads everybody who is listed, and forgets who is not any more. */
function visitAll(state: SourceState): Seen {
  const processes: KnownProcess[] = [];
  const withheld: KnownProcess[] = [];
  let vanished = 0;
  let errors = 0;
  const pids = state.files.list();
  state.progress.at = 0;
  state.progress.of = pids.length;
  for (const pid of pids) {
    state.progress.at++;
    const outcome = visit(state, pid);
    if (outcome === 'vanished') vanished++;
    else if (outcome === 'error') errors++;
    else {
      processes.push(outcome);
      if (outcome.isWithheld) withheld.push(outcome);
    }
  }
  if (processes.length < state.known.size) {
    for (const process of state.known.values()) if (process.seenInScan !== state.scanNumber) forget(state, process);
  }
  findNewParents(state, processes);
  return { processes, withheld, vanished, errors };
}

/** Reads one process into `known`. */
function visit(state: SourceState, pid: number): KnownProcess | 'vanished' | 'error' {
  const known = state.known.get(pid);
  if (known === undefined) return meet(state, pid);
  if (lookAgain(state, known)) return known;
  forget(state, known);
  return meet(state, pid);
}

/** Brings a known process up to date. False where it is gone, whoever has its pid now. */
function lookAgain(state: SourceState, process: KnownProcess): boolean {
  const { reader } = state;
  const turn = (process.pid + state.scanNumber) % DETAIL_SCANS;
  const slept = process.watches === 'schedstat' && hasSlept(state, process);
  if (slept && process.threads === 1 && turn % TURN_SCANS !== 0) {
    process.cpuPercent = 0;
    process.seenInScan = state.scanNumber;
    return true;
  }
  if (reader.read(heldStat(process), process.pid) !== 'read' || state.stat.startTicks !== process.startTicks) return false;
  const didNothing = state.stat.cpuTicks === process.cpuTicks;
  const isDetailTurn = turn === 0 && !state.isTrimmed;
  update(state, process, isDetailTurn || (turn % TURN_SCANS === 0 && hasOtherOwner(process.pid, process.image)));
  if (turn === 0 && state.held < state.heldLimit && holdAgain(process)) state.held++;
  if (state.countsRunTime) refitWatch(process, process.watches === 'stat' ? didNothing : slept);
  return true;
}

/** Whether its main thread did not run since it was asked before. */
function hasSlept({ reader }: SourceState, process: KnownProcess): boolean {
  if (!reader.readRunTime(process.descriptor)) return false;
  const { ranNs, timesRun } = reader.runTime;
  if (ranNs === process.ranNs && timesRun === process.timesRun) return true;
  process.ranNs = ranNs;
  process.timesRun = timesRun;
  return false;
}

/** Reads `stat` again of those whose parent is not theirs any more. */
function findNewParents(state: SourceState, processes: readonly KnownProcess[]): void {
  for (const process of processes) {
    if (process.updatedInScan === state.scanNumber || !hasLostParent(process, state.known)) continue;
    if (state.reader.read(NOT_HELD, process.pid) === 'read' && state.stat.startTicks === process.startTicks) update(state, process, false);
  }
}

/** Reads a process that is new, with all its details, until they belong to one image of it. */
function meet(state: SourceState, pid: number): KnownProcess | 'vanished' | 'error' {
  const hold = state.held < state.heldLimit ? WANT.hold : 0;
  const descriptor = state.files.read(pid, WANT.stat | hold | wantedOf(state, true));
  const outcome = state.reader.take(numberOf(state.files, NUMBER.stat));
  const process = newlyMet(pid, state.stat.startTicks, descriptor);
  if (descriptor !== NOT_HELD) state.held++;
  if (outcome === 'read' && readDetails(state, process, true)) {
    takeNumbers(state, process);
    state.known.set(pid, process);
    return process;
  }
  releaseDescriptor(state, process);
  return outcome === 'error' ? 'error' : 'vanished';
}

/** Brings a known process up to date from `state.stat`, with its details where they are due. */
function update(state: SourceState, process: KnownProcess, isDue: boolean): void {
  const { stat } = state;
  const name = state.reader.name(process.name);
  const execed =
    name !== process.name ||
    stat.layout !== process.layout ||
    (stat.state === ZOMBIE) !== process.isZombie ||
    // Where the layout is withheld, a new image shows by its size.
    (stat.layout <= WITHHELD_LAYOUT && stat.virtualBytes !== process.virtualBytes);
  if (execed || isDue || stat.ppid !== process.ppid) readDetails(state, process, false);
  takeNumbers(state, process);
}

function takeNumbers(state: SourceState, process: KnownProcess): void {
  const { stat, kernel, before, progress } = state;
  if (process.cpuTicks >= 0) {
    // Whoever was so far down the list in the scan before was read then.
    const readMs = before.startedMs + (progress.at / progress.of) * before.durationMs;
    const elapsedMs = Math.max(performance.now() - readMs, 1);
    const usedMs = ((stat.cpuTicks - process.cpuTicks) * 1000) / kernel.ticksPerSecond;
    process.cpuPercent = Math.max(0, Math.round((usedMs * 1000) / elapsedMs) / 10);
  }
  process.cpuTicks = stat.cpuTicks;
  process.virtualBytes = stat.virtualBytes;
  process.memoryBytes = stat.rssPages * kernel.pageBytes;
  process.status = statusOf(stat.state);
  process.threads = stat.threads;
  process.seenInScan = state.scanNumber;
  process.updatedInScan = state.scanNumber;
}

function forget(state: SourceState, process: KnownProcess): void {
  releaseDescriptor(state, process);
  state.groups.leave(process);
  state.known.delete(process.pid);
}

function releaseDescriptor(state: SourceState, process: KnownProcess): void {
  if (process.descriptor < 0) return;
  closeSync(process.descriptor);
  process.descriptor = NOT_HELD;
  process.watches = 'stat';
  state.held--;
}
