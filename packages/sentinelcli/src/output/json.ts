/**
 * JSON that may be shown on a terminal: beyond what JSON itself escapes, every control, format and line-separating
 * character, and what stands for a byte that was not UTF-8 (model/host-text), is written as \uNNNN. Whoever parses it
 * gets exactly the same text.
 */

const UNSAFE = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}\u{10ff80}-\u{10ffff}]/gu;

/** The value as JSON text, on one line unless `indent` is given. */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(UNSAFE, escapeUnits);
}

/** An array with one element per line: valid JSON that line tools can work with too. */
export function jsonArrayText(values: readonly unknown[]): string {
  return values.length === 0 ? '[]\n' : `[\n${values.map((value) => jsonText(value)).join(',\n')}\n]\n`;
}

function escapeUnits(characters: string): string {
  return characters
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
