/**
 * One line of a recording: an exec as whoever recorded it wrote it down. The line is not trusted; keys that are not
 * known are left out, and what is not there is null.
 */
import { z } from 'zod';

export type RecordedEvent = {
  /** What the recording calls it, or the line it stands in. */
  readonly eventId: string;
  readonly pid: number | null;
  readonly ppid: number | null;
  readonly name: string | null;
  /** The resolved path of the executable; where only the path that was called is known, that. */
  readonly exePath: string | null;
  readonly argv: readonly string[] | null;
  readonly cmdline: string | null;
  readonly parentExe: string | null;
  readonly parentCmdline: string | null;
  readonly cwd: string | null;
  readonly user: string | null;
  /** Milliseconds from any beginning that the events of the recording share. */
  readonly timeMs: number | null;
};

export type ParsedEvent =
  | { readonly ok: true; readonly event: RecordedEvent }
  /** `key` is null where the line as a whole is meant. */
  | { readonly ok: false; readonly key: string | null; readonly why: string };

const MAX_ID_LENGTH = 256;
const MAX_PID = 4_194_304;
/** Every time that a Date can hold. */
const MAX_TIME_MS = 8.64e15;

/** SQLite's functions take a NUL for the end of a text. */
const given = z.string('it is not a text').regex(/^[^\0]*$/, 'it holds a NUL character');
const text = given.nullish();
const argv = z.array(given, 'it is not a list of texts').nullish();
const pid = z.int('it is not a whole number').min(0, 'it is below 0').max(MAX_PID, `it is above ${MAX_PID}`).nullish();

const LINE = z.object(
  {
    event_id: given.min(1, 'it is empty').max(MAX_ID_LENGTH, `it is longer than ${MAX_ID_LENGTH}`).nullish(),
    pid,
    ppid: pid,
    name: text,
    Image: text,
    exec_path: text,
    argv,
    CommandLine: text,
    ParentImage: text,
    ParentCommandLine: text,
    parent_argv: argv,
    CurrentDirectory: text,
    User: text,
    t_ms: z.number('it is not a number').min(-MAX_TIME_MS, 'it is no time').max(MAX_TIME_MS, 'it is no time').nullish(),
  },
  'it is not an object of keys and values',
);

/** The event in a line of JSON; `line` counts from 1. */
export function parseRecordedEvent(content: string, line: number): ParsedEvent {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    return { ok: false, key: null, why: 'it is not valid JSON' };
  }
  const checked = LINE.safeParse(value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const key = issue?.path[0];
    return { ok: false, key: typeof key === 'string' ? key : null, why: issue?.message ?? 'it is no event' };
  }
  const { data } = checked;
  return {
    ok: true,
    event: {
      eventId: data.event_id ?? `line ${line}`,
      pid: data.pid ?? null,
      ppid: data.ppid ?? null,
      name: data.name ?? null,
      exePath: data.Image ?? data.exec_path ?? null,
      argv: data.argv ?? null,
      cmdline: data.CommandLine ?? data.argv?.join(' ') ?? null,
      parentExe: data.ParentImage ?? null,
      parentCmdline: data.ParentCommandLine ?? data.parent_argv?.join(' ') ?? null,
      cwd: data.CurrentDirectory ?? null,
      user: data.User ?? null,
      timeMs: data.t_ms ?? null,
    },
  };
}
