/**
 * Scans of a made-up busy server, the same ones every time: the workload of the benchmark `store`, which
 * docs/benchmarks.md describes. Nine processes of ten live throughout, the others come and go.
 */
import type { ControlGroup, ExecutableFile, Namespaces, ProcessImage, ProcessRecord } from '@sentineld/model/process';
import type { Command, ProcessEvent } from '@sentineld/model/process-event';
import type { Scan } from '@sentineld/model/scan';

export const SCAN_INTERVAL_MS = 30_000;

const EXECUTABLES = 300;
const FIRST_PID = 300;
const FIRST_SCAN_MS = 1_800_000_000_000;
const BOOT_MS = 1_799_000_000_000;
/** Of the processes, per scan: so many are new, in the place of as many that ended. */
const NEW_SHARE = 0.02;
/** Of the processes, per scan: so many have other numbers than in the scan before. */
const CHANGED_SHARE = 0.1;
/** Of the processes: those that never end. */
const LASTING_SHARE = 0.9;
const BOOT_ID = '6f1c7c0e-9d0a-4c55-9e0e-2f6b8f3b7a10';

export type Workload = {
  /** The next scan. Records of the scan before are handed out again, changed in place, as procmond's source does. */
  readonly next: () => Scan;
  /** What happened before the scan that was made last: an exit of each process that is gone, an exec of each new one. */
  readonly events: () => readonly ProcessEvent[];
};

/** Steps through `count` places by a number that shares no factor with it, so that every place has its turn. */
function strideOver(count: number): number {
  const divides = (a: number, b: number): number => (b === 0 ? a : divides(b, a % b));
  let stride = Math.max(1, Math.floor(count * 0.618));
  while (divides(stride, count) !== 1) stride++;
  return stride;
}

export function createWorkload(size: number): Workload {
  const lasting = Math.floor(size * LASTING_SHARE);
  const fresh = newPerScan(size);
  const changed = Math.max(1, Math.round(size * CHANGED_SHARE));
  const stride = strideOver(size);
  const processes = Array.from({ length: size }, (_, i) => makeProcess(FIRST_PID + i, i, 0));
  // Known before the first scan that is counted: a source gives no CPU share of a process that it never saw.
  for (const process of processes) takeNumbers(process, 0);
  let nextPid = FIRST_PID + size;
  let turn = 0;
  let newest: number[] = [];
  let scans = 0;
  let events: ProcessEvent[] = [];
  const renew = (): void => {
    const before = newest;
    const timeMs = FIRST_SCAN_MS + (scans - 1) * SCAN_INTERVAL_MS;
    events = [];
    const shortLived = size - lasting;
    newest = Array.from({ length: fresh }, (_, i) => lasting + (((scans - 1) * fresh + i) % shortLived));
    for (const [i, place] of newest.entries()) {
      const eventMs = timeMs + Math.floor((i * SCAN_INTERVAL_MS) / fresh);
      events.push(makeEvent('exit', at(processes, place), eventMs));
      const process = makeProcess(nextPid++, place, scans);
      processes[place] = process;
      events.push(makeEvent('exec', process, eventMs));
    }
    // Those that began in the scan before get their first CPU share: they are among the changed ones.
    const others = new Set(before.filter((place) => at(processes, place).cpuPercent === null && !newest.includes(place)));
    while (others.size < changed) {
      turn = (turn + stride) % size;
      if (at(processes, turn).cpuPercent !== null) others.add(turn);
    }
    for (const place of others) takeNumbers(at(processes, place), scans);
  };
  return {
    next: () => {
      if (scans > 0) renew();
      const startTimeMs = FIRST_SCAN_MS + scans * SCAN_INTERVAL_MS;
      scans++;
      return scanOf([...processes], startTimeMs);
    },
    events: () => events,
  };
}

/** Of the process that lasts and stands in the middle. */
export function lastingPid(size: number): number {
  return FIRST_PID + Math.floor(size / 2);
}

function newPerScan(size: number): number {
  return Math.max(1, Math.round(size * NEW_SHARE));
}

/** Of every scan but the first: an exec for each new process and an exit for each that is gone. */
export function eventsPerScan(size: number): number {
  return 2 * newPerScan(size);
}

export function fileHash(index: number): string {
  return (index + 1).toString(16).padStart(8, '0').repeat(8);
}

/** Which of the executables a file is. */
export function indexOf(file: ExecutableFile): number {
  return Number(file.inode) - 1_000_000;
}

function at(processes: readonly ProcessRecord[], place: number): ProcessRecord {
  const process = processes[place];
  if (process === undefined) throw new Error(`no process at ${place}`);
  return process;
}

function makeProcess(pid: number, place: number, scan: number): ProcessRecord {
  return {
    pid,
    startTicks: 1000 + place + scan * 3000,
    image: makeImage(pid, place, scan),
    cpuPercent: null,
    memoryBytes: 4096 * (1000 + (pid % 20_000)),
    threads: 1 + (place % 4),
    status: 'sleeping',
  };
}

/** Names, arguments and users of a length that is usual: about 110 bytes of arguments. */
function makeImage(pid: number, place: number, scan: number): ProcessImage {
  const service = place % EXECUTABLES;
  const path = `/usr/lib/app/bin/service-${service}`;
  const isRoot = service % 3 !== 0;
  const file: ExecutableFile = {
    path,
    dev: '65024',
    inode: String(1_000_000 + service),
    sizeBytes: 100_000 + service * 1000,
    mtimeNs: `1790000000${String(service).padStart(9, '0')}`,
    ctimeNs: `1790000001${String(service).padStart(9, '0')}`,
  };
  return {
    ppid: 1 + (place % PARENTS),
    name: `service-${service}`,
    exe: file,
    exeDeleted: false,
    argv: [path, `--config=/etc/app/${pid}.conf`, `--port=${1000 + (pid % 60_000)}`, '--role=worker'],
    redacted: 0,
    startTimeMs: BOOT_MS + (1000 + place + scan * 3000) * 10,
    userId: isRoot ? 0 : 33,
    userName: isRoot ? 'root' : 'www-data',
    groupId: isRoot ? 0 : 33,
    realUserId: isRoot ? 0 : 33,
    realGroupId: isRoot ? 0 : 33,
    loginUserId: null,
    sessionId: 1 + (place % 500),
    ttyNumber: 0,
    cwd: `/srv/app/${service % DIRECTORIES}`,
    controlGroup: CONTROL_GROUPS[service] ?? null,
    namespaces: NAMESPACES[service % CONTAINERS] ?? null,
    isKernelThread: false,
    unseen: [],
  };
}

const DIRECTORIES = 20;
const CONTAINERS = 40;
const PARENTS = 97;

const CONTROL_GROUPS: readonly ControlGroup[] = Array.from({ length: EXECUTABLES }, (_, service) => {
  const unit = `service-${service}.service`;
  return { path: `/system.slice/${unit}`, containerId: null, runtime: null, podId: null, unit };
});

const NAMESPACES: readonly Namespaces[] = Array.from({ length: CONTAINERS }, (_, container) => {
  const own = 4_026_531_835 + container * 10;
  return { cgroup: own, ipc: own + 1, mnt: own + 2, net: own + 3, pid: own + 4, user: 4_026_531_837, uts: own + 5 };
});

/** What forked the processes; the same object each time, as a source knows it. */
const PARENT_COMMANDS: readonly Command[] = Array.from({ length: PARENTS }, (_, i) => {
  const exePath = `/usr/lib/app/bin/supervisor-${i}`;
  return { name: `supervisor-${i}`, exePath, argv: [exePath, '--children=100', '--restart=always'], redacted: 0 };
});

function makeEvent(kind: ProcessEvent['kind'], { pid, startTicks, image }: ProcessRecord, timestampMs: number): ProcessEvent {
  const { name, exe, argv, redacted, ppid, userId, groupId } = image;
  return {
    kind,
    timestampMs,
    pid,
    ppid,
    startTicks,
    userId,
    groupId,
    command: { name, exePath: exe?.path ?? null, argv, redacted },
    parent: PARENT_COMMANDS[ppid - 1] ?? null,
    exitCode: kind === 'exit' ? 0 : null,
    exitSignal: null,
  };
}

/** Other numbers than before, all three kinds of them over time. */
function takeNumbers(process: ProcessRecord, scan: number): void {
  process.cpuPercent = ((process.pid * 7 + scan * 13) % 1000) / 10;
  process.memoryBytes += 4096 * (1 + (scan % 5));
  process.status = (process.pid + scan) % 10 === 0 ? 'running' : 'sleeping';
}

function scanOf(processes: readonly ProcessRecord[], startTimeMs: number): Scan {
  return {
    startTimeMs,
    endTimeMs: startTimeMs + 90,
    durationMs: 90,
    bootId: BOOT_ID,
    loadAverage: 1.25,
    processes,
    coverage: {
      seen: processes.length,
      accessible: processes.length,
      exeUnreadable: 0,
      argvUnreadable: 0,
      argvTruncated: 0,
      vanished: 0,
      errors: 0,
      otherUsersHidden: false,
      reason: null,
    },
  };
}
