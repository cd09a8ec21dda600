/**
 * Lines and corners of a tree, in the characters that the terminal can show, and only as far to the right as leaves
 * room for names: a hostile chain of processes may be thousands deep.
 */
import { cellWidth, headCells } from './cells.ts';

export type TreeStrokes = {
  /** Beside a row with later siblings. */
  readonly branch: string;
  /** Beside the last one. */
  readonly last: string;
  /** Below one with later siblings, and below the last one. */
  readonly bar: string;
  readonly gap: string;
};

const BOX: TreeStrokes = { branch: '├─ ', last: '└─ ', bar: '│  ', gap: '   ' };
const ASCII: TreeStrokes = { branch: '|- ', last: '`- ', bar: '|  ', gap: '   ' };

type Environment = Readonly<Record<string, string | undefined>>;

/** Box drawing, but ASCII on a dumb terminal and in a locale that is not UTF-8; where none is named nothing speaks against it. */
export function treeStrokes(environment: Environment): TreeStrokes {
  const locale = ['LC_ALL', 'LC_CTYPE', 'LANG'].map((name) => environment[name] ?? '').find((value) => value !== '');
  const isUtf8 = locale === undefined || /\.utf-?8(@|$)/i.test(locale);
  return isUtf8 && environment['TERM'] !== 'dumb' ? BOX : ASCII;
}

/** What stands before a row; `laterSiblings` says of each level, from the second on, whether more follow there. */
export function treePrefix(laterSiblings: readonly boolean[], strokes: TreeStrokes, mostCells: number): string {
  if (laterSiblings.length === 0) return '';
  const levels = Math.max(1, Math.floor(mostCells / cellWidth(strokes.gap)) - 2);
  const hidden = laterSiblings.length - levels;
  const shown = hidden > 0 ? laterSiblings.slice(hidden) : laterSiblings;
  const above = shown.slice(0, -1).map((more) => (more ? strokes.bar : strokes.gap));
  const corner = shown.at(-1) === true ? strokes.branch : strokes.last;
  return `${hidden > 0 ? headCells(`+${hidden}    `, 6) : ''}${above.join('')}${corner}`;
}
