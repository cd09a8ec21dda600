/**
 * Facts with a name before each, as `alerts show` and its kin print them.
 */
import type { CommandContext } from '../command.ts';
import { cellWidth } from './cells.ts';
import { indentText } from './wrap.ts';

/** Cells of the column of names. */
export const LABEL_WIDTH = 12;

/** `label` in a column of its own, the text beside it; nothing where there is no text. */
export function labelled({ terminal: { styles, width } }: CommandContext, label: string, texts: string | readonly string[]): string {
  if (texts.length === 0) return '';
  const indent = ' '.repeat(LABEL_WIDTH);
  return indentText(texts, width, indent, `${styles.dim(label)}${' '.repeat(LABEL_WIDTH - cellWidth(label))}`);
}
