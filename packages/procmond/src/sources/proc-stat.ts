/**
 * Parser of /proc/PID/stat (proc_pid_stat(5)) over bytes in a reused buffer. The name between the outermost parentheses
 * is chosen by the process and may hold anything, ')' and newlines included: it ends at the last ')'.
 */
import { decodeHostLatin1 } from '@sentineld/model/host-text';
import type { ProcessStatus } from '@sentineld/model/process';

/** The fields that are used; one object is filled again and again. Times in clock ticks, `rssPages` in pages. */
export type ProcStat = {
  nameStart: number;
  nameEnd: number;
  state: number;
  ppid: number;
  session: number;
  ttyNumber: number;
  flags: number;
  cpuTicks: number;
  threads: number;
  startTicks: number;
  virtualBytes: number;
  rssPages: number;
  /**
   * The addresses of code, stack, data, heap and arguments in one number: another value is another image, that is, an
   * exec (or PR_SET_MM). Not larger than WITHHELD_LAYOUT where ptrace access is withheld.
   */
  layout: number;
};

/** PF_KTHREAD of include/linux/sched.h. */
const PF_KTHREAD = 0x0020_0000;

const OPEN = 40;
const CLOSE = 41;
const MINUS = 45;
const SPACE = 32;
const LAST_FIELD = 48;
/** A pid has at most seven digits and a name 64 bytes (proc_task_name() of fs/proc/array.c); with room to spare. */
const NAME_END_LIMIT = 127;
/** The fields that `store` takes, by number; the others, more than half of a line, are stepped over. */
const IS_USED: Uint8Array = Uint8Array.from({ length: LAST_FIELD + 1 }, (_, field) =>
  [4, 6, 7, 9, 14, 15, 20, 22, 23, 24, 26, 28, 45, 47, 48].includes(field) ? 1 : 0,
);

export function emptyProcStat(): ProcStat {
  return {
    nameStart: 0, nameEnd: 0, state: 0, ppid: 0, session: 0, ttyNumber: 0, flags: 0, cpuTicks: 0,
    threads: 0, startTicks: 0, virtualBytes: 0, rssPages: 0, layout: 0,
  }; // prettier-ignore
}

/** Parses `length` bytes of `bytes` into `into`. False where it is not a stat line (cut, or empty because the process is gone). */
export function parseProcStat(bytes: Uint8Array, length: number, into: ProcStat): boolean {
  let close = Math.min(length - 1, NAME_END_LIMIT);
  while (close > 0 && bytes[close] !== CLOSE) close--;
  let open = 0;
  while (open < close && bytes[open] !== OPEN) open++;
  if (close <= open || close + 3 >= length) return false;
  into.nameStart = open + 1;
  into.nameEnd = close;
  into.state = bytes[close + 2] ?? 0;
  let at = close + 4;
  for (let field = 4; field <= LAST_FIELD; field++) {
    const start = at;
    let value = 0;
    if (IS_USED[field] === 1) {
      for (; at < length; at++) {
        const digit = (bytes[at] ?? 0) - 48;
        if (digit >= 0 && digit <= 9) value = value * 10 + digit;
        else if (bytes[at] !== MINUS) break;
      }
    } else {
      while (at < length && (bytes[at] ?? 0) > SPACE) at++;
    }
    // Cut: the last number may go on.
    if (at >= length) return false;
    if (IS_USED[field] === 1) store(into, field, bytes[start] === MINUS ? -value : value);
    at++;
  }
  return true;
}

/** How long and how often a thread ran. Nanoseconds are exact up to 104 days of CPU time, then to a few of them. */
export type RunTime = { ranNs: number; timesRun: number };

/** Parses a line of schedstat: time run, time waited, times run. False where it is none. */
export function parseRunTime(bytes: Uint8Array, length: number, into: RunTime): boolean {
  let field = 0;
  let value = 0;
  for (let at = 0; at < length; at++) {
    const digit = (bytes[at] ?? 0) - 48;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      continue;
    }
    if (field === 0) into.ranNs = value;
    else if (field === 2) into.timesRun = value;
    field++;
    value = 0;
  }
  return field === 3;
}

/** The state letter as a word. */
export function statusOf(letter: number): ProcessStatus {
  return STATUS_BY_LETTER.get(letter) ?? 'unknown';
}

export function isKernelThread(stat: ProcStat): boolean {
  return (stat.flags & PF_KTHREAD) !== 0;
}

export const ZOMBIE = 90;

/** do_task_stat() of fs/proc/array.c gives 1 for the start of the code and 0 for every other address to whoever may not trace. */
export const WITHHELD_LAYOUT = 1;

/** Workers of the kernel show what they work on after their name, another thing at every look: 'kworker/0:1-events'. */
const WORKER = /^(kworker\/(?:u?\d+:\d+H?))[-+]/;

/** The name between the parentheses; of a kernel worker the part that stays the same. */
export function processName(bytes: Buffer, start: number, end: number, flags: number): string {
  const text = bytes.toString('latin1', start, end);
  if ((flags & PF_KTHREAD) !== 0) return WORKER.exec(text)?.[1] ?? text;
  return decodeHostLatin1(text);
}

/** Whether the bytes are this text, in ASCII. */
export function isText(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (text.length !== end - start) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f || code !== bytes[start + at]) return false;
  }
  return true;
}

const STATUS_BY_LETTER: ReadonlyMap<number, ProcessStatus> = new Map(
  Object.entries({
    R: 'running', S: 'sleeping', D: 'disk_sleep', Z: 'zombie', T: 'stopped', t: 'traced', I: 'idle', X: 'dead', x: 'dead',
  } as const).map(([letter, status]) => [letter.charCodeAt(0), status]),
); // prettier-ignore

function store(into: ProcStat, field: number, value: number): void {
  switch (field) {
    case 4: into.ppid = value; break;
    case 6: into.session = value; break;
    case 7: into.ttyNumber = value; break;
    case 9: into.flags = value; break;
    case 14: into.cpuTicks = value; break;
    case 15: into.cpuTicks += value; break;
    case 20: into.threads = value; break;
    case 22: into.startTicks = value; break;
    case 23: into.virtualBytes = value; break;
    case 24: into.rssPages = value; break;
    // Addresses are below 2^47, so the weighted sum stays exact in a double.
    case 26: into.layout = value; break;
    case 28: into.layout += 3 * value; break;
    case 45: into.layout += 5 * value; break;
    case 47: into.layout += 7 * value; break;
    case 48: into.layout += 11 * value; break;
    default: break;
  } // prettier-ignore
}
