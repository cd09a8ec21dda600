/**
 * Rows as a table that fits the terminal: columns get what they need, the widest give way, and what is cut ends
 * in `…`. Every value is made safe to show here; a style is put around it after it was measured.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { SqlValue } from '@sentineld/model/rule';
import { cellWidth, fitCells, padCells } from './cells.ts';
import { createStyles, type Style, type Styles } from './styles.ts';
import { wrapText } from './wrap.ts';

export type TableOptions = {
  /** Cells of a line at most. */
  readonly width: number;
  readonly styles?: Styles;
  /** How a value of a column is drawn, by column name. */
  readonly cellStyles?: Readonly<Record<string, (value: SqlValue) => Style>>;
  /** What stands for NULL. */
  readonly empty?: string;
  /** Columns that are never cut: names that are typed elsewhere. */
  readonly whole?: readonly string[];
};

export type Rendered = {
  readonly text: string;
  /** True where a value was cut to fit. */
  readonly cut: boolean;
};

const GAP = '  ';
/** Below this a text column says nothing any more. */
const LEAST_TEXT_WIDTH = 8;
const MOST_RECORD_LINES = 20;

/** Rows below each other in columns; where they cannot fit side by side, each row as a record of its own. */
export function renderTable(columns: readonly string[], rows: readonly (readonly SqlValue[])[], options: TableOptions): Rendered {
  const names = columns.map(displayHostText);
  const texts = rows.map((row) => columns.map((_, at) => cellText(row[at] ?? null, options.empty ?? '')));
  const isNumeric = columns.map(
    (_, at) => rows.some((row) => typeof row[at] === 'number') && rows.every((row) => typeof (row[at] ?? 0) === 'number'),
  );
  const natural = names.map((name, at) => texts.reduce((width, row) => Math.max(width, cellWidth(row[at] ?? '')), cellWidth(name)));
  const least = natural.map((width, at) =>
    isNumeric[at] === true || options.whole?.includes(columns[at] ?? '') === true
      ? width
      : Math.min(width, Math.max(LEAST_TEXT_WIDTH, cellWidth(names[at] ?? ''))),
  );
  const room = options.width - GAP.length * (columns.length - 1);
  if (sum(least) > room && rows.length > 0) return renderRecords(names, texts, options);
  const widths = shrink(natural, least, room);
  const styles = options.styles ?? createStyles(false);
  const line = (cells: readonly string[], styleOf: (at: number) => Style): string => {
    const drawn = cells.map((cell, at) => {
      const width = widths[at] ?? 0;
      const isLast = at === cells.length - 1;
      const fitted = fitCells(cell, width);
      const padded = isNumeric[at] === true ? padCells(fitted, width, 'left') : isLast ? fitted : padCells(fitted, width);
      return styleOf(at)(padded);
    });
    return `${drawn.join(GAP).trimEnd()}\n`;
  };
  const header = line(names, () => styles.bold);
  const body = texts.map((cells, row) => line(cells, (at) => cellStyle(options, columns[at] ?? '', rows[row]?.[at] ?? null)));
  return { text: header + body.join(''), cut: natural.some((width, at) => width > (widths[at] ?? 0)) };
}

function renderRecords(names: readonly string[], texts: readonly (readonly string[])[], options: TableOptions): Rendered {
  const styles = options.styles ?? createStyles(false);
  const most = Math.max(...names.map(cellWidth));
  const nameWidth = Math.min(most, Math.floor(options.width / 3));
  const indent = ' '.repeat(nameWidth + 2);
  let cut = most > nameWidth;
  const records = texts.map((cells, row) => {
    const fields = cells.map((cell, at) => {
      const lines = wrapText(cell, options.width - nameWidth - 2);
      if (lines.length > MOST_RECORD_LINES) {
        cut = true;
        lines.splice(MOST_RECORD_LINES, lines.length, '…');
      }
      const name = styles.bold(padCells(fitCells(names[at] ?? '', nameWidth), nameWidth));
      return lines.map((text, at) => `${`${at === 0 ? `${name}  ` : indent}${text}`.trimEnd()}\n`).join('');
    });
    return `${styles.dim(`-- row ${row + 1}`)}\n${fields.join('')}`;
  });
  return { text: records.join(''), cut };
}

/** Takes from the widest columns first until the rest fits, never below what a column needs to say anything. */
function shrink(natural: readonly number[], least: readonly number[], room: number): number[] {
  const widths = [...natural];
  for (let excess = sum(widths) - room; excess > 0; excess = sum(widths) - room) {
    const givers = widths.map((width, at) => (width > (least[at] ?? 0) ? width : -1));
    const widest = Math.max(...givers);
    if (widest < 0) break;
    const second = Math.max(...givers.filter((width) => width < widest), 0);
    const among = givers.flatMap((width, at) => (width === widest ? [at] : []));
    for (const at of among) widths[at] = Math.max(least[at] ?? 0, second, widest - Math.ceil(excess / among.length), 1);
  }
  return widths;
}

function cellText(value: SqlValue, empty: string): string {
  return value === null ? empty : displayHostText(String(value));
}

function cellStyle(options: TableOptions, column: string, value: SqlValue): Style {
  return options.cellStyles?.[column]?.(value) ?? ((text) => text);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
