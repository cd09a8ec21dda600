/**
 * Prose within a width: breaks at spaces, and inside a word only where it is longer than a line. Text from the host
 * is made safe here, so callers hand it over as it is.
 */
import { displayHostText } from '@sentineld/model/host-text';
import { cellWidth, headCells } from './cells.ts';

/** Lines of at most `width` cells. Line breaks of the text are kept as paragraphs. */
export function wrapText(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => wrapParagraph(displayHostText(paragraph), Math.max(width, 8)));
}

/** The same with every line behind `indent`; the first one behind `first`, where that is given. */
export function indentText(text: string, width: number, indent: string, first: string = indent): string {
  const lines = wrapText(text, width - cellWidth(indent));
  return lines.map((line, at) => `${at === 0 ? first : indent}${line}\n`).join('');
}

function wrapParagraph(paragraph: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.split(' ').flatMap((word) => splitWord(word, width))) {
    if (line !== '' && cellWidth(line) + 1 + cellWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function splitWord(word: string, width: number): string[] {
  const parts: string[] = [];
  let rest = word;
  while (cellWidth(rest) > width) {
    const head = headCells(rest, width);
    parts.push(head);
    rest = rest.slice(head.length);
  }
  return [...parts, rest];
}
