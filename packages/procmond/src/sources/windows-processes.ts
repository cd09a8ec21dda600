/**
 * Processes of Windows, from systeminformation, which asks WMI through PowerShell; where that tells nothing, from ps-list,
 * which knows pid, parent and name. The libraries are loaded when the first listing is made, so no other system loads them.
 */
import { availableParallelism } from 'node:os';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { OtherSystemOptions, PsListRow } from './macos-processes.ts';
import { createPortableSource, type PortableSource } from './portable-source.ts';
import { nameOf, numberOrNull, pathOf, statusOfWord, textOrNull, type Listing, type PortableRow } from './portable-row.ts';
import { splitWindowsCommandLine } from './windows-command-line.ts';

/** What systeminformation says of a process; the fields that are read. `memRss` is in KiB, `cpu` per cent of all cores. */
export type WmiRow = {
  readonly pid?: unknown;
  readonly parentPid?: unknown;
  readonly name?: unknown;
  readonly path?: unknown;
  readonly command?: unknown;
  readonly started?: unknown;
  readonly state?: unknown;
  readonly cpu?: unknown;
  readonly memRss?: unknown;
};

export type WindowsLibraries = {
  readonly wmi: () => Promise<readonly WmiRow[]>;
  readonly psList: () => Promise<readonly PsListRow[]>;
};

/** The idle process stands for nobody: its time is what nobody used. */
const IDLE_PID = 0;
const SYSTEM_PID = 4;
const KERNEL_NAMES = new Set(['Registry', 'Memory Compression', 'MemCompression', 'Secure System']);

/** `libraries` are asked for each listing; tests pass recorded ones. */
export function createWindowsSource(
  { redact, argvLimitBytes }: OtherSystemOptions,
  libraries: WindowsLibraries = { wmi: askWmi, psList: askPsList },
): PortableSource {
  let isFirst = true;
  return createPortableSource({
    name: 'windows-wmi',
    firstPid: SYSTEM_PID,
    list: async () => {
      const listing = await windowsListing(libraries, isFirst);
      isFirst = false;
      return listing;
    },
    split: splitWindowsCommandLine,
    redact,
    commandLimit: argvLimitBytes,
  });
}

async function askWmi(): Promise<readonly WmiRow[]> {
  const [{ getPowershell }, { processes }] = await Promise.all([
    import('systeminformation/lib/util.js'),
    import('systeminformation/lib/processes.js'),
  ]);
  getPowershell();
  return (await processes()).list;
}

async function askPsList(): Promise<readonly PsListRow[]> {
  const psList = await import('ps-list');
  return psList.default();
}

const USERLESS = 'owners are not known';
const NAMES_ONLY = 'only pids, parents and names are known (WMI lists nothing)';

/** Rows of a listing. In the first one WMI's shares of time are those of all the time since boot, so they are left out. Throws where nobody is listed. */
export async function windowsListing({ wmi, psList }: WindowsLibraries, isFirst: boolean): Promise<Listing> {
  const rows = await wmi();
  if (rows.length > 0) return { rows: rows.filter(({ pid }) => pid !== IDLE_PID).map((row) => rowOf(row, isFirst)), lacks: [USERLESS] };
  let listed: readonly PsListRow[];
  try {
    listed = await psList();
  } catch (cause) {
    throw new SentinelError('source.unavailable', { message: `WMI lists nobody, and ps-list fails: ${messageOf(cause)}`, cause });
  }
  if (listed.length === 0) throw new SentinelError('source.unavailable', { message: 'neither WMI nor ps-list lists anybody' });
  const named = listed.map(({ pid, ppid, name }) => rowOf({ pid, parentPid: ppid, name }, true));
  return { rows: named.filter(({ pid }) => pid !== IDLE_PID), lacks: [USERLESS, NAMES_ONLY] };
}

function rowOf(row: WmiRow, isFirst: boolean): PortableRow {
  const pid = numberOrNull(row.pid) ?? -1;
  const ppid = numberOrNull(row.parentPid) ?? -1;
  const name = nameOf(row.name);
  const path = pathOf(row.path);
  const share = isFirst ? null : numberOrNull(row.cpu);
  const residentKib = numberOrNull(row.memRss);
  return {
    pid,
    ppid,
    name,
    path,
    // Where WMI may not read the command line, systeminformation puts the name in its place.
    command: path === null && row.command === row.name ? null : textOrNull(row.command),
    user: null,
    userId: null,
    startedMs: timeOf(row.started),
    cpuPercent: share === null ? null : Math.round(share * availableParallelism() * 10) / 10,
    memoryBytes: residentKib === null ? null : residentKib * 1024,
    state: statusOfWord(row.state),
    isKernel: pid === SYSTEM_PID || (ppid === SYSTEM_PID && path === null && KERNEL_NAMES.has(name)),
  };
}

/** '2025-01-31 08:15:00' by the clock of the place, in milliseconds since 1970. */
function timeOf(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(value)) return null;
  return numberOrNull(new Date(value.replace(' ', 'T')).getTime());
}
