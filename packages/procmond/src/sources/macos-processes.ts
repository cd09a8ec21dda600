/**
 * Processes of macOS, from ps-list (who runs, since when, with which arguments) and systeminformation (memory, state, name of
 * the user). Both ask ps(1). The libraries are loaded when the first listing is made, so no other system ever loads them.
 */
import { SentinelError } from '@sentineld/model/error';
import { createPortableSource, type PortableSource } from './portable-source.ts';
import { nameOf, numberOrNull, pathOf, statusOfWord, textOrNull, type Listing, type PortableRow } from './portable-row.ts';
import type { Redact } from './process-details.ts';

/** What ps-list says of a process; the fields that are read. */
export type PsListRow = {
  readonly pid?: unknown;
  readonly ppid?: unknown;
  readonly uid?: unknown;
  readonly name?: unknown;
  readonly path?: unknown;
  readonly cmd?: unknown;
  readonly startTime?: unknown;
  readonly cpu?: unknown;
};

/** What systeminformation says of a process; the fields that are read. `memRss` is in KiB. */
export type MeasuredRow = {
  readonly pid?: unknown;
  readonly memRss?: unknown;
  readonly state?: unknown;
  readonly user?: unknown;
};

export type MacosListings = { readonly listed: readonly PsListRow[]; readonly measured: readonly MeasuredRow[] };
export type OtherSystemOptions = {
  readonly redact: Redact;
  /** Characters of a command line that are kept. */
  readonly argvLimitBytes: number;
};

/** `list` gives what the two libraries list; tests pass recorded listings. */
export function createMacosSource(
  { redact, argvLimitBytes }: OtherSystemOptions,
  list: () => Promise<MacosListings> = askLibraries,
): PortableSource {
  return createPortableSource({
    name: 'macos-ps',
    firstPid: 1,
    list: async () => macosListing(await list()),
    split: splitMacosCommand,
    redact,
    commandLimit: argvLimitBytes,
  });
}

async function askLibraries(): Promise<MacosListings> {
  const [psList, systeminformation] = await Promise.all([import('ps-list'), import('systeminformation/lib/processes.js')]);
  const [listed, measured] = await Promise.all([psList.default(), systeminformation.processes()]);
  return { listed, measured: measured.list };
}

const CLAIMED = 'executables are those that processes name in their own arguments';
const UNMEASURED = 'memory, state and user names are not known (systeminformation lists nothing)';

/** Rows of a listing. Throws where nobody is listed: somebody always runs. */
export function macosListing({ listed, measured }: MacosListings): Listing {
  if (listed.length === 0) throw new SentinelError('source.unavailable', { message: 'ps-list lists nobody' });
  const byPid = new Map<unknown, MeasuredRow>();
  for (const row of measured) if (!byPid.has(row.pid)) byPid.set(row.pid, row);
  return {
    rows: listed.map((row) => rowOf(row, byPid.get(row.pid) ?? {})),
    lacks: [CLAIMED, ...(measured.length === 0 ? [UNMEASURED] : [])],
  };
}

function rowOf(listed: PsListRow, measured: MeasuredRow): PortableRow {
  const state = statusOfWord(measured.state);
  const residentKib = numberOrNull(measured.memRss);
  // Where ps-list finds no file in the arguments, the name is the path that the kernel was given.
  const name = nameOf(listed.name);
  return {
    pid: numberOrNull(listed.pid) ?? -1,
    ppid: numberOrNull(listed.ppid) ?? -1,
    name: name.slice(name.lastIndexOf('/') + 1) || name,
    path: pathOf(listed.path) ?? (name.startsWith('/') ? name : null),
    command: textOrNull(listed.cmd),
    user: userOf(measured.user),
    userId: numberOrNull(listed.uid),
    startedMs: listed.startTime instanceof Date ? numberOrNull(listed.startTime.getTime()) : null,
    cpuPercent: numberOrNull(listed.cpu),
    memoryBytes: residentKib === null ? null : residentKib * 1024,
    state,
    isKernel: listed.pid === 0,
  };
}

/** ps(1) shows the number where it knows no name. */
function userOf(value: unknown): string | null {
  const user = textOrNull(value);
  return user === null || /^\d+$/.test(user) ? null : user;
}

/**
 * ps(1) joins arguments with spaces, and nobody can tell these from spaces within one. The path of the program is kept whole
 * where the text begins with it; after that every space parts two arguments. Joined again they are the text.
 */
export function splitMacosCommand(command: string, path: string | null): string[] {
  if (path !== null && (command === path || command.startsWith(`${path} `)))
    return command === path ? [path] : [path, ...command.slice(path.length + 1).split(' ')];
  return command.split(' ');
}
