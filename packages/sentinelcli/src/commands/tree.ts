/**
 * `sentinelcli tree`: who started whom, now or at a past moment; all of it, or one process with its ancestors and its
 * descendants.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { viewsAsOf } from '@sentineld/store/events/as-of';
import { lastSeen } from '@sentineld/store/reader-lineage';
import { resolveAsOf, tellAsOf, withEventsReader, type AsOf } from '../as-of.ts';
import { MOMENT_FORMS } from '../at-time.ts';
import { defineCommand, type Command } from '../command.ts';
import { flag, text, wholeNumber } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { clockTime, isoTime, roughDuration } from '../output/times.ts';
import { treeStrokes } from '../output/tree-lines.ts';
import { treeText } from '../output/tree-text.ts';
import { readTree, type TreeReport, type TreeRow } from '../tree-report.ts';

const DEFAULT_DEPTH = 64;

export const tree: Command = defineCommand({
  name: 'tree',
  summary: 'Show who started whom, now or at a past moment',
  description:
    'One line a process, below its parent: pid, user, start, name, container in braces, arguments. With a PID its ancestors are above it, marked ^, and it is marked >. Of a process whose parent ended, which init then took over, "(from 1201 bash)" names the parent before, as far as scans and events tell.',
  positionals: [{ name: 'PID', summary: 'one process, with its ancestors and descendants', required: false }],
  options: {
    at: text('TIME', `As it was: ${MOMENT_FORMS}`),
    depth: wholeNumber({ least: 1, most: 1000 }, DEFAULT_DEPTH, 'Levels at most'),
    json: flag('As JSON: a flat list in the order of the tree'),
  },
  examples: [
    { line: 'sentinelcli tree', what: 'everything that runs' },
    { line: 'sentinelcli tree 1', what: 'one process and what is below it' },
    { line: "sentinelcli tree --at '10 min ago' --depth 3", what: 'the upper levels, ten minutes ago' },
    { line: "sentinelcli tree --json | jq -r '.processes[] | select(.container != null) | .name'", what: 'what runs in containers' },
  ],
  run: async (context, [given], { at, depth, json }) => {
    const pid = given === undefined ? null : readPid(given);
    const { terminal } = context;
    const paths = context.paths();
    const asOf = resolveAsOf(context, 'at', at);
    const views = at === null ? [] : viewsAsOf(asOf.scan.id);
    const report = withEventsReader(paths, views, (reader) => readTree(reader, pid, depth));
    if (report === null) throw unknownPid(paths, pid ?? 0, asOf, context.now());
    tellAsOf(context, asOf);
    const options = { width: terminal.width, styles: terminal.styles, strokes: treeStrokes(context.environment), now: context.now() };
    if (json) terminal.out(`${jsonText(treeJson(report, asOf), 2)}\n`);
    else terminal.out(report.rows.length === 0 ? 'no processes\n' : treeText(report.rows, options));
    if (report.notShown > 0) {
      const note = `${report.notShown} more ${report.notShown === 1 ? 'process is' : 'processes are'} farther away than ${depth} levels; --depth N shows more`;
      terminal.err(terminal.errStyles.yellow(note) + '\n');
    }
    return Promise.resolve(0);
  },
});

function readPid(given: string): number {
  if (/^[1-9]\d{0,9}$/.test(given)) return Number(given);
  throw new SentinelError('usage.invalid', {
    message: `"${given}" names no process`,
    why: 'a process is named by its pid, a whole number above 0',
    hint: 'sentinelcli tree lists them',
  });
}

/** With where it can still be seen, as far as that is kept. */
function unknownPid(paths: StatePaths, pid: number, { scan }: AsOf, nowMs: number): SentinelError {
  const message = `there is no process ${pid} in scan ${scan.id}, of ${clockTime(scan.startMs)}`;
  const seen = withEventsReader(paths, [], (reader) => lastSeen(reader, pid));
  if (seen === null) {
    const why = 'no scan and no event that is kept has a process of that pid';
    return new SentinelError('usage.invalid', { message, why, hint: 'sentinelcli tree lists the processes there are' });
  }
  const name = seen.name === null ? '' : `: ${displayHostText(seen.name)}`;
  const when = `${clockTime(seen.timestampMs)} (${roughDuration(nowMs - seen.timestampMs)} ago)`;
  const byEvent = `sentinelcli query 'SELECT * FROM process_events WHERE pid = ${pid}'`;
  return new SentinelError('usage.invalid', {
    message,
    why: `it was last seen ${seen.scanId === null ? 'between scans, by an event' : `in scan ${seen.scanId}`}, ${when}${name}`,
    hint: seen.scanId === null ? byEvent : `sentinelcli tree ${pid} --at 'scan ${seen.scanId}'`,
  });
}

function treeJson({ rows, scan, notShown }: TreeReport, asOf: AsOf): unknown {
  // Between the look-up and the reading another scan may have become the newest.
  const { id, startMs } = scan ?? asOf.scan;
  return {
    scan: { id, start: isoTime(startMs) },
    processes: rows.map(rowJson),
    not_shown: notShown,
  };
}

function rowJson({ node, depth, role, formerParents }: TreeRow): unknown {
  return {
    pid: node.pid,
    ppid: node.ppid,
    depth,
    role,
    name: node.name,
    exe_path: node.exePath,
    argv: node.argv,
    user: node.userName,
    user_id: node.userId,
    started: isoTime(node.startMs),
    kernel_thread: node.isKernelThread,
    container: node.containerId === null ? null : { id: node.containerId, runtime: node.containerRuntime },
    former_parents: formerParents.map(({ pid, name, cmdline, seenMs }) => ({
      pid,
      name,
      cmdline,
      seen: seenMs === null ? null : isoTime(seenMs),
    })),
  };
}
