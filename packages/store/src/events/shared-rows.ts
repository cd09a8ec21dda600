/**
 * What many processes and events have in common is stored once: commands, paths, owners, and contexts (control group
 * and namespaces). Which rows there are is remembered in bounded memory and forgotten at each epoch, so a row can be
 * there twice; it is never changed, and never used by what a later epoch stored.
 */
import type { Command } from '@sentineld/model/process-event';
import { NAMESPACE_KINDS, type ControlGroup, type Namespaces, type ProcessImage } from '@sentineld/model/process';
import type { WriterDatabase } from '../open.ts';
import { createIdCache, type IdCache } from './id-cache.ts';

/** What a command is known by; that of a process image says the same as that of an event. */
export type CommandText = Pick<Command, 'name' | 'exePath' | 'argv' | 'redacted'>;

/** Rows are made where there are none; within a transaction. */
export type SharedRows = {
  readonly command: (command: CommandText) => number;
  readonly path: (text: string) => number;
  readonly owner: (image: ProcessImage) => number;
  readonly context: (image: Pick<ProcessImage, 'controlGroup' | 'namespaces'>) => number | null;
  /** The id that the next row of each table gets. */
  readonly nextIds: () => Readonly<Record<SharedTable, number>>;
  /** From now on none of the rows that there are is used again. */
  readonly forget: () => void;
};

export const SHARED_TABLES = ['command', 'path', 'process_owner', 'process_context'] as const;
export type SharedTable = (typeof SHARED_TABLES)[number];

/** Column of the table epoch that holds the first id of an epoch. */
export const FLOOR_COLUMNS: Readonly<Record<SharedTable, string>> = {
  command: 'first_command',
  path: 'first_path',
  process_owner: 'first_owner',
  process_context: 'first_context',
};

/** Commands and others that are remembered; each twice at most, at about 200 bytes. */
const CACHE_LIMITS: Readonly<Record<SharedTable, number>> = { command: 4096, path: 1024, process_owner: 256, process_context: 1024 };

type Cell = string | number | null;

export function createSharedRows(db: WriterDatabase): SharedRows {
  const stores = {
    command: createStore(db, 'command', ['name', 'exe_path_id', 'cmdline', 'command_line', 'redacted']),
    path: createStore(db, 'path', ['text']),
    process_owner: createStore(db, 'process_owner', OWNER_COLUMNS),
    process_context: createStore(db, 'process_context', CONTEXT_COLUMNS),
  };
  const knownContexts = createContextCache();
  let knownCommands = new WeakMap<object, number>();
  const path = (text: string): number => stores.path.known(text) ?? stores.path.insert(text, [text]);
  const findCommand = (command: CommandText): number => {
    const commandLine = command.argv === null ? null : JSON.stringify(command.argv);
    const { name, exePath, redacted } = command;
    // Lengths come first: no name or path can be chosen so that two commands have one key.
    const key = `${redacted},${name.length},${exePath?.length ?? -1}:${name}${exePath ?? ''}${commandLine ?? '-'}`;
    const known = stores.command.known(key);
    if (known !== undefined) return known;
    const exePathId = exePath === null ? null : path(exePath);
    const cmdline = command.argv === null ? null : command.argv.join(' ');
    const stored = followsFrom(cmdline, commandLine) ? null : commandLine;
    return stores.command.insert(key, [name, exePathId, cmdline, stored, redacted]);
  };
  return {
    command: (command) => {
      const known = knownCommands.get(command);
      if (known !== undefined) return known;
      const id = findCommand(command);
      knownCommands.set(command, id);
      return id;
    },
    path,
    owner: (image) => {
      const { userId, userName, groupId, realUserId, realGroupId, loginUserId } = image;
      // The name comes last, so that nobody can choose one that makes two owners have one key.
      const key = `${userId},${groupId},${realUserId},${realGroupId},${loginUserId}${userName === null ? '' : `:${userName}`}`;
      return stores.process_owner.known(key) ?? stores.process_owner.insert(key, ownerCells(image));
    },
    context: ({ controlGroup, namespaces }) => {
      if (controlGroup === null && namespaces === null) return null;
      const known = knownContexts.get(controlGroup, namespaces);
      if (known !== undefined) return known;
      const cells = contextCells({ controlGroup, namespaces });
      const key = JSON.stringify(cells);
      const id = stores.process_context.known(key) ?? stores.process_context.insert(key, cells);
      knownContexts.set(controlGroup, namespaces, id);
      return id;
    },
    nextIds: () => ({
      command: stores.command.nextId(),
      path: stores.path.nextId(),
      process_owner: stores.process_owner.nextId(),
      process_context: stores.process_context.nextId(),
    }),
    forget: () => {
      for (const store of Object.values(stores)) store.forget();
      knownCommands = new WeakMap();
      knownContexts.forget();
    },
  };
}

/** Whether the view `replace(cmdline, ' ', '","')` gives the JSON array back. */
function followsFrom(cmdline: string | null, commandLine: string | null): boolean {
  return cmdline !== null && commandLine === `["${cmdline.replaceAll(' ', '","')}"]`;
}

export const OWNER_COLUMNS: readonly string[] = ['user_id', 'user_name', 'group_id', 'real_user_id', 'real_group_id', 'login_user_id'];

/** In the order of OWNER_COLUMNS. */
export function ownerCells(image: ProcessImage): readonly Cell[] {
  return [image.userId, image.userName, image.groupId, image.realUserId, image.realGroupId, image.loginUserId];
}

export const CONTEXT_COLUMNS: readonly string[] = [
  'cgroup',
  'container_id',
  'container_runtime',
  'pod_id',
  'unit',
  ...NAMESPACE_KINDS.map((kind) => `${kind}_namespace`),
];

/** In the order of CONTEXT_COLUMNS. */
export function contextCells({ controlGroup, namespaces }: Pick<ProcessImage, 'controlGroup' | 'namespaces'>): readonly Cell[] {
  const { path, containerId, runtime, podId, unit } = controlGroup ?? NO_GROUP;
  return [path, containerId, runtime, podId, unit, ...NAMESPACE_KINDS.map((kind) => namespaces?.[kind] ?? null)];
}

const NO_GROUP = { path: null, containerId: null, runtime: null, podId: null, unit: null };

type Store = {
  readonly known: (key: string) => number | undefined;
  readonly insert: (key: string, cells: readonly Cell[]) => number;
  readonly nextId: () => number;
  readonly forget: () => void;
};

type ContextCache = {
  readonly get: (controlGroup: ControlGroup | null, namespaces: Namespaces | null) => number | undefined;
  readonly set: (controlGroup: ControlGroup | null, namespaces: Namespaces | null, id: number) => void;
  readonly forget: () => void;
};

/** By the objects themselves: a source hands out the same for all processes that share them. */
function createContextCache(): ContextCache {
  let ids = new WeakMap<object, WeakMap<object, number>>();
  return {
    get: (controlGroup, namespaces) => ids.get(controlGroup ?? NO_GROUP)?.get(namespaces ?? NO_GROUP),
    set: (controlGroup, namespaces, id) => {
      const known = ids.get(controlGroup ?? NO_GROUP) ?? new WeakMap<object, number>();
      ids.set(controlGroup ?? NO_GROUP, known.set(namespaces ?? NO_GROUP, id));
    },
    forget: () => {
      ids = new WeakMap();
    },
  };
}

/** Ids only grow: one that retention deleted is not given again, or it would seem to be of an epoch long gone. */
function createStore(db: WriterDatabase, table: SharedTable, columns: readonly string[]): Store {
  const statement = db.prepare(`INSERT INTO ${table} (id, ${columns.join(', ')}) VALUES (?${', ?'.repeat(columns.length)})`);
  const limit = CACHE_LIMITS[table];
  let nextId =
    db
      .prepare<[], number>(
        `SELECT max(coalesce((SELECT max(id) FROM ${table}), 0) + 1, coalesce((SELECT max(${FLOOR_COLUMNS[table]}) FROM epoch), 0))`,
      )
      .pluck()
      .get() ?? 1;
  let ids: IdCache = createIdCache(limit);
  return {
    known: (key) => ids.get(key),
    insert: (key, cells) => {
      const id = nextId++;
      statement.run(id, ...cells);
      ids.set(key, id);
      return id;
    },
    nextId: () => nextId,
    forget: () => {
      ids = createIdCache(limit);
    },
  };
}
