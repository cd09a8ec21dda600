/**
 * The processes of one scan with what is kept of their descent, read in one snapshot and put in the order in which they
 * are shown: the whole tree, or one process between its ancestors and its descendants.
 */
import type { ResultRow, SqlValue } from '@sentineld/model/rule';
import type { Reader } from '@sentineld/store/reader';
import { formerParentsInEvents, formerParentsInScans, type FormerParent } from '@sentineld/store/reader-lineage';
import { ancestorsOf, familyOf, placeTree, rootsOf, type Placed } from './process-tree.ts';

export type TreeProcess = {
  readonly pid: number;
  readonly ppid: number;
  readonly startTicks: number;
  readonly startMs: number;
  readonly name: string;
  readonly exePath: string | null;
  readonly argv: readonly string[] | null;
  readonly userName: string | null;
  readonly userId: number | null;
  readonly isKernelThread: boolean;
  readonly containerId: string | null;
  readonly containerRuntime: string | null;
};

/** What a row is to the process that was asked for; null where none was. */
export type TreeRole = 'ancestor' | 'asked' | 'descendant' | null;

export type TreeRow = Placed<TreeProcess> & {
  readonly role: TreeRole;
  /** Parents before the present one, those that were seen last first. */
  readonly formerParents: readonly FormerParent[];
};

export type TreeReport = {
  readonly scan: { readonly id: number; readonly startMs: number } | null;
  readonly rows: readonly TreeRow[];
  readonly notShown: number;
};

const PROCESSES = `SELECT scan_id, timestamp_ms, pid, ppid, name, exe_path, command_line, start_time, user_name, user_id, is_kthread,
  json_extract(platform_data, '$.start_ticks') AS start_ticks, json_extract(platform_data, '$.container_id') AS container_id,
  json_extract(platform_data, '$.container_runtime') AS container_runtime FROM processes`;

/** Null where `pid` is given and not in the scan. `depth`: levels below the process, or below those without a parent. */
export function readTree(reader: Reader, pid: number | null, depth: number): TreeReport | null {
  return reader.transaction(() => {
    const { columns, rows } = reader.stream(PROCESSES);
    const records = Array.from(rows, (values) => Object.fromEntries(columns.map((name, at) => [name, values[at] ?? null])));
    const [scanId, startMs] = [numberOf(records[0]?.['scan_id']), numberOf(records[0]?.['timestamp_ms'])];
    const placed = pid === null ? wholeTree(records.map(processOf), depth) : branchOf(records.map(processOf), pid, depth);
    if (placed === null) return null;
    const former = formerParentsOf(reader, placed.rows, scanId);
    return {
      scan: scanId === null || startMs === null ? null : { id: scanId, startMs },
      notShown: placed.notShown,
      rows: placed.rows.map((row) => ({ ...row, formerParents: former.get(row.node.pid) ?? [] })),
    };
  });
}

type PlacedRow = Omit<TreeRow, 'formerParents'>;
type PlacedRows = { readonly rows: readonly PlacedRow[]; readonly notShown: number };

function wholeTree(processes: readonly TreeProcess[], mostDepth: number): PlacedRows {
  const family = familyOf(processes);
  const { rows, tooDeep } = placeTree(family, { roots: rootsOf(family), mostDepth });
  return { rows: rows.map((row) => ({ ...row, role: null })), notShown: tooDeep };
}

/** One process in its place: each ancestor below the one before, then it, then what is below it. */
function branchOf(processes: readonly TreeProcess[], pid: number, mostDepth: number): PlacedRows | null {
  const family = familyOf(processes);
  const asked = family.byPid.get(pid);
  if (asked === undefined) return null;
  const ancestors = ancestorsOf(family, asked);
  const nearest = ancestors.slice(-mostDepth);
  const { rows, tooDeep } = placeTree(family, { roots: [asked], mostDepth, except: ancestors });
  const levels = (count: number): readonly boolean[] => Array.from({ length: count }, () => false);
  const above = nearest.map((node, at) => ({ node, depth: at, laterSiblings: levels(at), role: 'ancestor' as const }));
  const below = rows.map(({ node, depth, laterSiblings }) => ({
    node,
    depth: depth + nearest.length,
    laterSiblings: [...levels(nearest.length), ...laterSiblings],
    role: node === asked ? ('asked' as const) : ('descendant' as const),
  }));
  return { rows: [...above, ...below], notShown: tooDeep + ancestors.length - nearest.length };
}

/** Scans remember what they saw; where they saw nothing else, an event may tell who began a process that init took over. */
function formerParentsOf(reader: Reader, rows: readonly PlacedRow[], scanId: number | null): ReadonlyMap<number, readonly FormerParent[]> {
  const own = rows.filter(({ node }) => !node.isKernelThread);
  const inScans =
    scanId === null
      ? []
      : formerParentsInScans(
          reader,
          own.map(({ node }) => node),
          scanId,
        );
  const known = new Set(inScans.map(({ childPid }) => childPid));
  const open = own.filter(({ node, role }) => !known.has(node.pid) && (node.ppid === 1 || role === 'ancestor' || role === 'asked'));
  const inEvents = formerParentsInEvents(
    reader,
    open.map(({ node }) => node),
  );
  return Map.groupBy([...inScans, ...inEvents], ({ childPid }) => childPid);
}

function processOf(row: ResultRow): TreeProcess {
  return {
    pid: numberOf(row['pid']) ?? 0,
    ppid: numberOf(row['ppid']) ?? 0,
    startTicks: numberOf(row['start_ticks']) ?? 0,
    startMs: numberOf(row['start_time']) ?? 0,
    name: textOf(row['name']) ?? '',
    exePath: textOf(row['exe_path']),
    argv: argumentsOf(row['command_line']),
    userName: textOf(row['user_name']),
    userId: numberOf(row['user_id']),
    isKernelThread: row['is_kthread'] === 1,
    containerId: textOf(row['container_id']),
    containerRuntime: textOf(row['container_runtime']),
  };
}

function argumentsOf(value: SqlValue | undefined): readonly string[] | null {
  try {
    const list: unknown = typeof value === 'string' ? JSON.parse(value) : null;
    return Array.isArray(list) ? list.filter((element) => typeof element === 'string') : null;
  } catch {
    return null;
  }
}

function numberOf(value: SqlValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function textOf(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
