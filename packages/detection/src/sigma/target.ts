/**
 * What Sigma rules are converted for: events of one product and category, and the columns that answer their fields.
 */

export type FieldColumn =
  /** A text as Sigma means it. */
  | { readonly kind: 'text'; readonly column: string }
  | { readonly kind: 'integer'; readonly column: string }
  /** A user's number where Sigma has the name: only root's number is the same on every host. */
  | { readonly kind: 'user'; readonly column: string };

export type SigmaTarget = {
  readonly product: string;
  readonly category: string;
  /** By the field's name in Sigma. */
  readonly fields: Readonly<Record<string, FieldColumn>>;
  /** Why well-known fields have no column, as the end of a sentence. */
  readonly unanswered: Readonly<Record<string, string>>;
  /** What stands before the lines of the condition in the query. */
  readonly select: string;
  /** Columns of the result that make two findings the same. */
  readonly dedup: readonly string[];
};

/** Programs that were executed on this host. */
export const LINUX_PROCESS_CREATION: SigmaTarget = {
  product: 'linux',
  category: 'process_creation',
  fields: {
    Image: { kind: 'text', column: 'exe_path' },
    CommandLine: { kind: 'text', column: 'cmdline' },
    ParentImage: { kind: 'text', column: 'parent_exe' },
    ParentCommandLine: { kind: 'text', column: 'parent_cmdline' },
    ProcessId: { kind: 'integer', column: 'pid' },
    ParentProcessId: { kind: 'integer', column: 'ppid' },
    User: { kind: 'user', column: 'user_id' },
  },
  unanswered: {
    CurrentDirectory: 'an event does not say in which directory the program was started',
    ParentUser: 'an event does not say whose the parent was',
    LogonId: 'it is known on Windows alone; an event has the user, not the session',
    Hashes: 'an event does not have the hash of the executable',
    OriginalFileName: 'it stands in executables of Windows alone',
  },
  select: `SELECT seq, timestamp_ms, pid, start_ticks, name, exe_path, cmdline, command_line, user_id, ppid,
       parent_name, parent_exe, parent_cmdline, boot_id
FROM process_events
WHERE event = 'exec' AND seq > :since_seq`,
  dedup: ['exe_path', 'cmdline', 'user_id', 'parent_exe'],
};
