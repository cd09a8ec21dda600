/**
 * The process tree for people: one line a process, its number, user and start in columns, then the tree with name,
 * container, former parent and arguments, cut to the width. Every name in it was chosen by the host.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { TreeProcess, TreeRole, TreeRow } from '../tree-report.ts';
import { cellWidth, fitCells, padCells } from './cells.ts';
import { commandText } from './command-text.ts';
import type { Style, Styles } from './styles.ts';
import { tableTime } from './times.ts';
import { treePrefix, type TreeStrokes } from './tree-lines.ts';

const MOST_USER_CELLS = 12;
const CONTAINER_DIGITS = 12;
/** Names and arguments keep at least this share of the room beside the lines of the tree. */
const LINES_SHARE = 0.5;
const MARKS: Readonly<Record<NonNullable<TreeRole>, string>> = { ancestor: '^', asked: '>', descendant: ' ' };

export type TreeTextOptions = { readonly width: number; readonly styles: Styles; readonly strokes: TreeStrokes; readonly now: number };

export function treeText(rows: readonly TreeRow[], { width, styles, strokes, now }: TreeTextOptions): string {
  const cells = rows.map(({ node }) => ({ pid: String(node.pid), user: userText(node), started: tableTime(node.startMs, now) }));
  const pidWidth = widest(
    'pid',
    cells.map(({ pid }) => pid),
  );
  const userWidth = Math.min(
    MOST_USER_CELLS,
    widest(
      'user',
      cells.map(({ user }) => user),
    ),
  );
  const startedWidth = widest(
    'started',
    cells.map(({ started }) => started),
  );
  const isMarked = rows.some(({ role }) => role !== null);
  const columns = (pid: string, user: string, started: string, mark: string): string => {
    const fitted = [padCells(pid, pidWidth, 'left'), padCells(fitCells(user, userWidth), userWidth), padCells(started, startedWidth)];
    return `${isMarked ? `${mark} ` : ''}${fitted.join('  ')}`;
  };
  const room = Math.max(1, width - cellWidth(columns('', '', '', ' ')) - 2);
  const header = styles.bold(`${columns('pid', 'user', 'started', ' ')}  process`);
  const lines = rows.map((row, at) => {
    const { pid = '', user = '', started = '' } = cells[at] ?? {};
    const prefix = treePrefix(row.laterSiblings, strokes, Math.floor(room * LINES_SHARE));
    const text = fitCells(processText(row), room - cellWidth(prefix));
    return roleStyle(
      styles,
      row.role,
    )(`${columns(pid, user, started, row.role === null ? ' ' : MARKS[row.role])}  ${prefix}${text}`.trimEnd());
  });
  return [header, ...lines].map((line) => `${line}\n`).join('');
}

/** The name, what cannot be seen from the tree, and the arguments, in the order of what is cut last. */
function processText({ node, formerParents: [former] }: TreeRow): string {
  const name = displayHostText(node.name);
  const container = node.containerId === null ? '' : ` {${containerText(node)}}`;
  const parent = former === undefined ? '' : ` (from ${former.pid}${former.name === null ? '' : ` ${displayHostText(former.name)}`})`;
  const command = node.argv === null || node.argv.length === 0 ? '' : `  ${commandText(node.argv)}`;
  return `${node.isKernelThread ? `[${name}]` : name}${container}${parent}${command}`;
}

function containerText({ containerId, containerRuntime }: TreeProcess): string {
  const id = containerId ?? '';
  const short = /^[0-9a-f]{64}$/.test(id) ? id.slice(0, CONTAINER_DIGITS) : displayHostText(id);
  return `${displayHostText(containerRuntime ?? 'container')} ${short}`;
}

function userText({ userName, userId }: TreeProcess): string {
  return displayHostText(userName ?? (userId === null ? '?' : String(userId)));
}

function widest(name: string, texts: readonly string[]): number {
  return texts.reduce((width, text) => Math.max(width, cellWidth(text)), name.length);
}

function roleStyle(styles: Styles, role: TreeRole): Style {
  return role === 'ancestor' ? styles.dim : role === 'asked' ? styles.bold : (text) => text;
}
