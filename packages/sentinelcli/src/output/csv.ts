/**
 * CSV (RFC 4180) for spreadsheets. A text that a spreadsheet would take for a formula gets a leading apostrophe, and
 * characters that would move a cursor are written as \xNN or \u{…}; for exact values there is JSON.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { SqlValue } from '@sentineld/model/rule';

/** What spreadsheets begin a formula with; tab and CR because they are skipped over (OWASP, CSV injection). */
const FORMULA_START = /^[=+\-@\t\r]/;

/** One record with its line end. NULL is an empty field, an empty text is a quoted one. */
export function csvRecord(values: readonly SqlValue[]): string {
  return `${values.map(csvField).join(',')}\r\n`;
}

function csvField(value: SqlValue): string {
  if (value === null) return '';
  // A number is not a text somebody chose: -5 stays -5.
  if (typeof value === 'number') return String(value);
  const text = `${FORMULA_START.test(value) ? "'" : ''}${displayHostText(value)}`;
  return text === '' || /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}
