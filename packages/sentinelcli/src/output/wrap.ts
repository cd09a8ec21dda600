/**
 * Prose within a width: breaks at spaces, and inside a word only where it is longer than a line. Text is made safe to
 * show here; a line break within a text is shown as such, never obeyed, so that no host string can forge a line.
 */
import { displayHostText } from '@sentineld/model/host-text';
import { cellWidth, headCells } from './cells.ts';

const LEAST_WIDTH = 8;

/** Lines of at most `width` cells; each text begins a line of its own. */
export function wrapText(texts: string | readonly string[], width: number): string[] {
  return (typeof texts === 'string' ? [texts] : texts).flatMap((text) => wrapOne(displayHostText(text), Math.max(width, LEAST_WIDTH)));
}

/** The same with every line behind `indent`; the first one behind `first`, where that is given. */
export function indentText(texts: string | readonly string[], width: number, indent: string, first: string = indent): string {
  const lines = wrapText(texts, width - cellWidth(indent));
  return lines.map((line, at) => `${`${at === 0 ? first : indent}${line}`.trimEnd()}\n`).join('');
}

/** Paragraphs of a text that was wrapped by hand: its lines are joined, but for empty ones and list items. */
export function paragraphsOf(text: string): string[] {
  const paragraphs: string[] = [];
  let open = false;
  for (const line of text.trim().split('\n')) {
    const isItem = /^\s*[-*]\s/.test(line);
    if (open && line.trim() !== '' && !isItem) paragraphs.push(`${paragraphs.pop() ?? ''} ${line.trim()}`);
    else paragraphs.push(line.trim());
    open = line.trim() !== '';
  }
  return paragraphs;
}

function wrapOne(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((word) => splitWord(word, width))) {
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
