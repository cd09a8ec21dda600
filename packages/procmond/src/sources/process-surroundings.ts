/**
 * Where a process runs: working directory, control group, namespaces, out of the bytes that were read of it. Processes
 * that share one are given the same object.
 */
import { decodeHostBytes } from '@sentineld/model/host-text';
import { NAMESPACE_KINDS, type ControlGroup, type Namespaces, type Unseen } from '@sentineld/model/process';
import { NUMBER, SECTION } from '@sentineld/native/process-files';
import { createByteCache } from './byte-cache.ts';
import { createControlGroups } from './control-group.ts';
import { isNothing, numberOf, type ProcFiles } from './proc-files.ts';
import { withheld } from './process-details.ts';

/** One of them, or why it is not known; neither where the process has none. */
export type Found<Value> = { readonly value: Value | null; readonly unseen: Unseen | null };

export type Surroundings = {
  readonly cwd: Found<string>;
  readonly controlGroup: Found<ControlGroup>;
  readonly namespaces: Found<Namespaces>;
};

/** Makes them of what was read. `isBare` says that it is a thread of the kernel, or has ended. */
export type SurroundingsReader = (files: ProcFiles, isBare: boolean) => Surroundings;

/** Bytes of directories, and sets of namespaces, that are remembered. */
const REMEMBERED_BYTES = 1 << 20;
const REMEMBERED_SETS = 4096;

const NONE = { value: null, unseen: null } as const;
/** Where there was no time for them. */
export const TRIMMED: Surroundings = {
  cwd: { value: null, unseen: { field: 'cwd', reason: 'trimmed' } },
  controlGroup: { value: null, unseen: { field: 'cgroup', reason: 'trimmed' } },
  namespaces: { value: null, unseen: { field: 'namespaces', reason: 'trimmed' } },
};

export function createSurroundingsReader(): SurroundingsReader {
  const directories = createByteCache<Found<string>>(REMEMBERED_BYTES, (link) => ({ value: decodeHostBytes(link), unseen: null }));
  const readGroup = createControlGroups();
  const groups = createByteCache<Found<ControlGroup>>(REMEMBERED_BYTES, (content) => ({ value: readGroup(content), unseen: null }));
  const readNamespaces = createNamespaceReader();
  return (files, isBare) => {
    const cwdLength = numberOf(files, NUMBER.cwd);
    const groupLength = numberOf(files, NUMBER.cgroup);
    return {
      cwd: cwdLength < 0 ? refused('cwd', cwdLength, isBare) : directories(files.buffer, SECTION.cwd, SECTION.cwd + cwdLength),
      controlGroup:
        groupLength < 0 ? refused('cgroup', groupLength, isBare) : groups(files.buffer, SECTION.cgroup, SECTION.cgroup + groupLength),
      namespaces: readNamespaces(files, isBare),
    };
  };
}

/** A kernel thread has the kernel's own, and who has ended none: where those are withheld nothing is missed. */
function refused(field: Unseen['field'], number: number, isBare: boolean): Found<never> {
  return isBare || isNothing(number) ? NONE : { value: null, unseen: withheld(field, number) };
}

const KINDS = NAMESPACE_KINDS.length;
const MOUNT = NUMBER.namespaces + NAMESPACE_KINDS.indexOf('mnt');

type NamespaceReader = (files: ProcFiles, isBare: boolean) => Found<Namespaces>;

function createNamespaceReader(): NamespaceReader {
  const sets = new Map<string, Found<Namespaces>>();
  const last = new Float64Array(KINDS).fill(Number.NaN);
  let lastFound: Found<Namespaces> = NONE;
  return (files, isBare) => {
    if (isLast(last, files)) return lastFound;
    // A process that ends gives up its namespaces, but not all at once.
    if (isNothing(numberOf(files, MOUNT))) return NONE;
    for (let kind = 0; kind < KINDS; kind++) {
      const number = numberOf(files, NUMBER.namespaces, kind);
      if (number < 0 && !isNothing(number)) return refused('namespaces', number, isBare);
    }
    for (let kind = 0; kind < KINDS; kind++) last[kind] = numberOf(files, NUMBER.namespaces, kind);
    const key = last.join(' ');
    lastFound = sets.get(key) ?? { value: namespacesOf(last), unseen: null };
    if (sets.size >= REMEMBERED_SETS) sets.clear();
    sets.set(key, lastFound);
    return lastFound;
  };
}

function isLast(last: Float64Array, files: ProcFiles): boolean {
  for (let kind = 0; kind < KINDS; kind++) if (last[kind] !== numberOf(files, NUMBER.namespaces, kind)) return false;
  return true;
}

/** 0 for a kind that this kernel does not have. */
function namespacesOf(numbers: Float64Array): Namespaces {
  const [cgroup = 0, ipc = 0, mnt = 0, net = 0, pid = 0, user = 0, uts = 0] = Array.from(numbers, (number) => Math.max(0, number));
  return { cgroup, ipc, mnt, net, pid, user, uts };
}
