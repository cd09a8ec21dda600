/**
 * Processes of Linux, from /proc. One file of each known process is kept open and read again at offset 0: a held
 * descriptor belongs to its process for ever, so a reused pid cannot be taken for the old one. Where that file is as it
 * was, nothing else is read. Everything else is read once, again when exec or a change of parent or owner shows, and in turn.
 */
import { closeSync, readFileSync, readdirSync } from 'node:fs';
import { loadavg, uptime } from 'node:os';
import type { ExecutableFile, ProcessImage } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import { createExecutableGroups, type ExecutableGroups } from './executable-groups.ts';
import { readKernelConstants } from './kernel-constants.ts';
import { newlyMet, NO_IMAGE, NOT_HELD, type KnownProcess } from './known-process.ts';
import { statusOf, WITHHELD_LAYOUT, ZOMBIE } from './proc-stat.ts';
import { createExecutableReader } from './process-details.ts';
import { hasOtherOwner, isSameImage, readImage, type ImageReader } from './process-image.ts';
import type { ProcessSource } from './process-source.ts';
import { coverageOf, type Seen } from './scan-coverage.ts';
import { createStatReader, isGone, openStat, type StatReader } from './stat-reader.ts';
import { createUserNames } from './user-names.ts';
import { countsRunTime, hasLostParent, heldStat, refitWatch } from './watched-file.ts';

/** What changes unseen is looked for in turn, every this many scans: memory and owner soon, all details in time. */
const TURN_SCANS = 32;
const DETAIL_SCANS = 128;
/** Descriptors left for everything that is not a held `stat`. */
const SPARE_DESCRIPTORS = 256;
const READ_ATTEMPTS = 3;
/** A process younger than this may be about to call exec: what was read of it is confirmed. */
const YOUNG_SECONDS = 5;

export type LinuxProcOptions = {
  /** Soft limit of open files: decides how many processes can be held open. */
  readonly openFileLimit: number;
  /** Bytes of arguments kept per process. */
  readonly argvLimitBytes: number;
  readonly now?: () => number;
};

export function createLinuxProcSource(options: LinuxProcOptions): ProcessSource {
  const reader = createStatReader();
  const state: SourceState = {
    known: new Map(),
    groups: createExecutableGroups(),
    users: createUserNames(),
    readExecutable: createExecutableReader(),
    kernel: readKernelConstants(),
    reader,
    stat: reader.stat,
    countsRunTime: countsRunTime(),
    argvBuffer: Buffer.allocUnsafeSlow(options.argvLimitBytes + 1),
    held: 0,
    heldLimit: Math.max(0, options.openFileLimit - SPARE_DESCRIPTORS),
    scanNumber: 0,
    youngSinceTicks: 0,
    before: { startedMs: 0, durationMs: 0 },
    progress: { at: 0, of: 1 },
    now: options.now ?? Date.now,
  };
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return {
    name: 'linux-proc',
    scan: () => scanOnce(state, bootId),
    openPathOf: (file: ExecutableFile) => {
      const member = state.groups.memberOf(file);
      return member === null ? null : `/proc/${member.pid}/exe`;
    },
    close: () => {
      for (const process of state.known.values()) releaseDescriptor(state, process);
      state.known.clear();
    },
  };
}

type SourceState = ImageReader & {
  readonly known: Map<number, KnownProcess>;
  readonly groups: ExecutableGroups;
  /** Fills `stat`. */
  readonly reader: StatReader;
  readonly countsRunTime: boolean;
  held: number;
  readonly heldLimit: number;
  scanNumber: number;
  /** Who started after this, in clock ticks after boot, is young. */
  youngSinceTicks: number;
  /** The scan before, by a clock that nobody sets, and how far this one is in the list: both tell when a process was read. */
  before: { readonly startedMs: number; readonly durationMs: number };
  readonly progress: { at: number; of: number };
  readonly now: () => number;
};

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
  const names = readdirSync('/proc', 'latin1');
  state.progress.at = 0;
  state.progress.of = names.length;
  for (const name of names) {
    state.progress.at++;
    const first = name.charCodeAt(0);
    if (first < 49 || first > 57) continue;
    const outcome = visit(state, Number(name));
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
  update(state, process, turn === 0 || (turn % TURN_SCANS === 0 && hasOtherOwner(process.pid, process.image)));
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
  let descriptor: number;
  try {
    descriptor = openStat(pid);
  } catch (cause) {
    return isGone(cause) ? 'vanished' : 'error';
  }
  const outcome = state.reader.read(descriptor, pid);
  if (outcome !== 'read') {
    closeSync(descriptor);
    return outcome === 'gone' ? 'vanished' : 'error';
  }
  const process = newlyMet(pid, state.stat.startTicks, descriptor);
  state.held++;
  const complete = readDetails(state, process);
  if (complete) {
    takeNumbers(state, process);
    state.known.set(pid, process);
  }
  if (!complete || state.held > state.heldLimit) releaseDescriptor(state, process);
  return complete ? process : 'vanished';
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
  if (execed || isDue || stat.ppid !== process.ppid) readDetails(state, process);
  takeNumbers(state, process);
}

/**
 * Reads owner, executable and arguments, again where the process called exec meanwhile. False when it is gone.
 * What is the same as before, or belongs to a process that has lived for a while, is taken as it is: should such a
 * process call exec just between two reads, the next scan sees another layout and reads it again.
 */
function readDetails(state: SourceState, process: KnownProcess): boolean {
  for (let attempt = 1; ; attempt++) {
    remember(state, process);
    const image = readImage(state, process);
    if (image === null) return false;
    if (isSameImage(image, process.image)) return true;
    if (needsConfirmation(state, process, image)) {
      if (state.reader.read(heldStat(process), process.pid) !== 'read') return false;
      if (state.stat.startTicks !== process.startTicks) return false;
      if (attempt < READ_ATTEMPTS && !isAsRemembered(state, process)) continue;
    }
    state.groups.leave(process);
    process.image = image;
    process.isWithheld = image.unseen.length > 0;
    state.groups.join(process);
    return true;
  }
}

function needsConfirmation(state: SourceState, process: KnownProcess, image: ProcessImage): boolean {
  const isFirst = process.image === NO_IMAGE;
  // Without an executable and without a reason it has just ended.
  const hasEnded = image.exe === null && image.unseen.length === 0 && !image.isKernelThread && !process.isZombie;
  return !isFirst || hasEnded || process.startTicks > state.youngSinceTicks;
}

function remember(state: SourceState, process: KnownProcess): void {
  const { stat } = state;
  process.name = state.reader.name(process.name);
  process.ppid = stat.ppid;
  process.layout = stat.layout;
  process.isZombie = stat.state === ZOMBIE;
}

function isAsRemembered(state: SourceState, process: KnownProcess): boolean {
  const { stat } = state;
  return state.reader.name(process.name) === process.name && stat.layout === process.layout && (stat.state === ZOMBIE) === process.isZombie;
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
