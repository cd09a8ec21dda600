/**
 * A trace instance of the product's own (Documentation/trace/ftrace.rst): its buffer, its events, and nobody else's
 * settings. It is made by root; what is needed afterwards are descriptors, which whoever root becomes inherits.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, readSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { messageOf, reasonOf, SentinelError } from '@sentineld/model/error';
import { parseTraceFormat, type TraceFormat } from './trace-pages.ts';

const ROOTS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'] as const;
const INSTANCE = 'instances/sentineld';
/** Of each CPU. */
const BUFFER_KIBIBYTES = 4096;
const CPUS_MOST = 1024;
const FORMAT_BYTES = 16_384;

const EVENTS = {
  newTask: 'events/task/task_newtask',
  exec: 'events/sched/sched_process_exec',
  exit: 'events/sched/sched_process_exit',
} as const;
type TracedEvent = keyof typeof EVENTS;

export type TraceCpu = { readonly pipe: number; readonly stats: number };
export type TraceInstance = {
  /** All of them, to be closed with it. */
  readonly descriptors: readonly number[];
  readonly tracingOn: number;
  readonly formats: Readonly<Record<TracedEvent, TraceFormat>>;
  readonly cpus: readonly TraceCpu[];
};

export type OpenedTrace = { readonly descriptors: readonly number[] } | { readonly reason: string };

/** Makes the instance, or takes the one that was left, and starts it. `reason` is one sentence for the operator. */
export function openTraceInstance(roots: readonly string[] = ROOTS): OpenedTrace {
  const root = roots.find((each) => existsSync(`${each}/instances`));
  if (root === undefined) {
    return { reason: `the trace file system is not mounted: mount -t tracefs tracefs ${roots[0] ?? ROOTS[0]} (as root)` };
  }
  const directory = `${root}/${INSTANCE}`;
  const descriptors: number[] = [];
  try {
    prepare(directory);
    for (const [path, flags] of wantedFiles(directory)) descriptors.push(openSync(`${directory}/${path}`, flags));
    return { descriptors };
  } catch (cause) {
    for (const descriptor of descriptors) closeSync(descriptor);
    return { reason: `the trace instance ${directory} cannot be used: ${reasonOf(cause)}` };
  }
}

function prepare(directory: string): void {
  const write = (path: string, text: string): void => writeFileSync(`${directory}/${path}`, text, { flag: 'w' });
  if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  write('tracing_on', '0');
  write('buffer_size_kb', String(BUFFER_KIBIBYTES));
  write('trace_clock', 'mono');
  write('set_event', '');
  for (const event of Object.values(EVENTS)) write(`${event}/enable`, '1');
  // Opening it to write empties the buffer, and with it the counts of what was lost.
  write('trace', '');
  write('tracing_on', '1');
}

function wantedFiles(directory: string): readonly (readonly [path: string, flags: number])[] {
  const cpus = readdirSync(`${directory}/per_cpu`).filter((name) => /^cpu\d+$/.test(name));
  if (cpus.length > CPUS_MOST) throw new Error(`it has ${cpus.length} CPUs, more than ${CPUS_MOST}`);
  return [
    ['tracing_on', constants.O_WRONLY],
    ...Object.values(EVENTS).map((event) => [`${event}/format`, constants.O_RDONLY] as const),
    ...cpus.flatMap((cpu) => [
      [`per_cpu/${cpu}/trace_pipe_raw`, constants.O_RDONLY | constants.O_NONBLOCK] as const,
      [`per_cpu/${cpu}/stats`, constants.O_RDONLY] as const,
    ]),
  ];
}

/**
 * What the descriptors of an instance are, as the kernel names them. Throws 'privilege.refused' where one is something
 * else, or one is missing.
 */
export function attachTraceInstance(descriptors: readonly number[]): TraceInstance {
  const byPath = new Map(descriptors.map((descriptor) => [pathInInstance(descriptor), descriptor]));
  const find = (path: string): number => {
    const descriptor = byPath.get(path);
    if (descriptor === undefined) throw refused(`no descriptor of ${INSTANCE}/${path} was handed over`);
    return descriptor;
  };
  const cpus = [...byPath.keys()].flatMap((path) => /^per_cpu\/(cpu\d+)\/trace_pipe_raw$/.exec(path)?.[1] ?? []);
  if (cpus.length === 0) throw refused(`no descriptor of a buffer of ${INSTANCE} was handed over`);
  const format = (event: TracedEvent): TraceFormat => {
    const parsed = parseTraceFormat(readAll(find(`${EVENTS[event]}/format`)));
    if (parsed === null) throw refused(`${EVENTS[event]}/format is not understood`);
    return parsed;
  };
  return {
    descriptors,
    tracingOn: find('tracing_on'),
    formats: { newTask: format('newTask'), exec: format('exec'), exit: format('exit') },
    cpus: cpus.map((cpu) => ({ pipe: find(`per_cpu/${cpu}/trace_pipe_raw`), stats: find(`per_cpu/${cpu}/stats`) })),
  };
}

function pathInInstance(descriptor: number): string {
  let link: string;
  try {
    link = readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch (cause) {
    throw refused(`descriptor ${descriptor} is not open: ${messageOf(cause)}`);
  }
  const at = link.lastIndexOf(`/${INSTANCE}/`);
  if (at < 0) throw refused(`descriptor ${descriptor} is ${link}, which is no file of ${INSTANCE}`);
  return link.slice(at + INSTANCE.length + 2);
}

function refused(message: string): SentinelError {
  return new SentinelError('privilege.refused', {
    message,
    why: 'events are read through descriptors that were opened before root was given up',
    hint: 'start procmond anew, without descriptors of another program',
  });
}

/** A file of tracefs from its start; its position is not moved. */
export function readAll(descriptor: number): string {
  const buffer = Buffer.allocUnsafe(FORMAT_BYTES);
  let length = 0;
  for (let more = -1; more !== 0 && length < buffer.length; length += more) {
    more = readSync(descriptor, buffer, length, buffer.length - length, length);
  }
  return buffer.toString('latin1', 0, length);
}
