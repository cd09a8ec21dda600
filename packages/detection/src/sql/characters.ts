/**
 * Layer 1: which bytes may be in a statement at all. Two parsers that disagree nearly always disagree about where a
 * comment or a string ends, so everything they are known to read differently is refused before either sees it.
 */
import type { Refusal } from '@sentineld/model/rule';
import { tokenize, tokenName } from 'sqlite3-parser';
import { checkLength, refusal, type SourceSpan, type SqlBounds } from './policy.ts';

/** Control and format characters, every space that is not a plain one, unpaired surrogates, a CR without its LF. */
const REFUSED_CHARACTER = /(?![\t\n\r ])[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\p{Cs}]|\r(?!\n)/u;
const QUOTES = ['"', '[', '`'];

export function checkCharacters(sql: string, bounds: SqlBounds): Refusal | undefined {
  const tooLong = checkLength(sql, bounds.maxSqlBytes);
  if (tooLong !== undefined) return tooLong;
  const match = REFUSED_CHARACTER.exec(sql);
  if (match !== null) {
    const codePoint = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return refusal(
      'characters',
      `The character U+${codePoint} may not be in a statement. Remove it; to look for it in data, write char(0x${codePoint}).`,
      spanAt(sql, match.index),
    );
  }
  return checkTokens(sql);
}

/** SQLite takes letters such as ‘ for parts of names, and a comment that is never closed for a comment. */
function checkTokens(sql: string): Refusal | undefined {
  for (const { type, text, span } of tokenize(sql, { emitTrivia: true })) {
    const name = tokenName(type);
    if (name === 'COMMENT' && text.startsWith('/*') && (text.length < 4 || !text.endsWith('*/'))) {
      return refusal('characters', 'This comment is not closed. End it with */.', span);
    }
    const isPlainWord = name !== 'COMMENT' && name !== 'STRING' && !QUOTES.includes(text.charAt(0));
    if (isPlainWord && /[^\x00-\x7f]/.test(text)) {
      return refusal(
        'characters',
        `'${text}' is read as a name. Write text between straight single quotes, and names with such letters between double quotes.`,
        span,
      );
    }
  }
  return undefined;
}

function spanAt(sql: string, index: number): SourceSpan {
  const before = sql.slice(0, index);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, col: index - lineStart };
}
