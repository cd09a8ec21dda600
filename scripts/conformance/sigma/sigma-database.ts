/**
 * The corpus's events as rows that converted rules read: Linux events as `process_events`, Windows events as a table of
 * their own with Sysmon's fields as columns, since only the conversion is tried with them.
 */
import type { SigmaTarget } from '@sentineld/detection/sigma/target';
import type { ReadableSchema } from '@sentineld/model/schema';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch, type Scratch, type ScratchRow } from '@sentineld/store/scratch';

export type LinuxEvent = {
  readonly pid: number;
  readonly ppid: number;
  readonly name: string;
  readonly Image: string | null;
  readonly argv: readonly string[];
  readonly ParentImage: string | null;
  readonly ParentCommandLine: string | null;
  readonly User: string | null;
  readonly expect: readonly string[];
  readonly expect_invoked: readonly string[];
};

export type WindowsEvent = { readonly fields: Readonly<Record<string, string | number | null>>; readonly expect: readonly string[] };

/** Rows that a converted rule is run over; `seq` counts the events from 1. */
export type SigmaDatabase = { readonly schema: ReadableSchema; readonly scratch: Scratch };

/** Any number that is not root's. */
const SOME_USER = 1_000;

export function createLinuxDatabase(events: readonly LinuxEvent[], directory: string): SigmaDatabase {
  const rows = events.map((event): ScratchRow => ({
    pid: event.pid,
    ppid: event.ppid,
    name: event.name,
    exe_path: event.Image,
    argv: event.argv,
    user_id: event.User === 'root' ? 0 : SOME_USER,
    parent_name: null,
    parent_exe: event.ParentImage,
    parent_cmdline: event.ParentCommandLine,
  }));
  return { schema: EVENTS_SCHEMA, scratch: createScratch({ schema: EVENTS_SCHEMA, rows: { process_events: rows }, directory }) };
}

const WINDOWS_TABLE = 'windows_events';
const INTEGERS = ['ProcessId', 'ParentProcessId', 'TerminalSessionId'];

/** The fields that the events have, as columns of the same names. */
export function createWindowsDatabase(
  events: readonly WindowsEvent[],
  directory: string,
): { readonly database: SigmaDatabase; readonly target: SigmaTarget } {
  const names = [...new Set(events.flatMap(({ fields }) => Object.keys(fields)))];
  const fields = names.map((name) => ({ name, type: INTEGERS.includes(name) ? ('INTEGER' as const) : ('TEXT' as const) }));
  const schema: ReadableSchema = {
    tables: [
      {
        name: WINDOWS_TABLE,
        description: '',
        columns: [
          { name: 'seq', type: 'INTEGER', description: '' },
          ...fields.map(({ name, type }) => ({ name, type, nullable: true, description: '' })),
        ],
      },
    ],
    hiddenTables: [],
  };
  const rows = events.map(({ fields: given }, at): ScratchRow => ({ seq: at + 1, ...given }));
  const target: SigmaTarget = {
    product: 'windows',
    category: 'process_creation',
    fields: Object.fromEntries(
      fields.map(({ name, type }) => [name, { kind: type === 'INTEGER' ? ('integer' as const) : ('text' as const), column: name }]),
    ),
    unanswered: {},
    select: `SELECT seq FROM ${WINDOWS_TABLE}\nWHERE seq > :since_seq`,
    dedup: ['seq'],
  };
  return { database: { schema, scratch: createScratch({ schema, rows: { [WINDOWS_TABLE]: rows }, directory }) }, target };
}
