/**
 * Regular expressions of Sigma rules (the PCRE subset that its specification names) as JavaScript's. What both write the
 * same way and mean differently is rewritten or refused; whether it compiles is the validator's to say.
 */

export type TranslatedExpression = { readonly ok: true; readonly pattern: string } | { readonly ok: false; readonly message: string };

/** Letters that mean the same behind a backslash; digits are references to groups, everything else stands for itself. */
const SAME_ESCAPES = 'bBdDfnrsStvwWx';
/** The beginning of the text, its end, and its end or before a last line feed, whatever the flags are. */
const ANCHORS: Readonly<Record<string, string>> = { '\\A': '(?<![^])', '\\z': '(?![^])', '\\Z': '(?=\\n?(?![^]))' };
const REFUSED_GROUP = /^\(\?(?!i?:|=|!|<=|<!|P?<[A-Za-z_])/;
const TOKEN = /\\(?:x\{|[^])|\[\^?\]?(?:\\[^]|\[:[a-z^]+:\]|[^\]\\])*\]|\(\?(?:i:|P?<?[^)]?)?|\(\*|[*+?}][+]|\{,\d|[^]/gu;

/** The expression with what its flags mean written out. */
export function translateExpression(source: string, given: string): TranslatedExpression {
  const leading = /^\(\?([a-z]+)\)/.exec(source);
  const flags = given + (leading?.[1] ?? '');
  const unknown = flags.replace(/[ims]/g, '');
  if (unknown !== '') return { ok: false, message: `the flag "${unknown}" of the regular expression is not known here` };
  const parts: string[] = [];
  for (const [token] of source.slice(leading?.[0].length ?? 0).matchAll(TOKEN)) {
    const fault = faultOf(token);
    if (fault !== null) return { ok: false, message: `the regular expression has "${token}": ${fault}` };
    parts.push(translate(token, flags));
  }
  const pattern = parts.join('');
  return { ok: true, pattern: flags.includes('i') ? `(?i:${pattern})` : pattern };
}

function faultOf(token: string): string | null {
  if (token.startsWith('[') && token.length > 1) return faultOfClass(token);
  if (Object.hasOwn(ANCHORS, token)) return null;
  if (token.startsWith('{,')) return 'some read it as a repetition from 0, others as it stands';
  if (token === '\\x{') return 'it is not written so in JavaScript';
  if (/^\\[A-Za-z]$/.test(token) && !SAME_ESCAPES.includes(token.charAt(1))) return 'JavaScript does not know it, or means something else';
  if (token === '(*' || REFUSED_GROUP.test(token)) return 'JavaScript has no such group';
  if (/^[*+?}]\+$/.test(token)) return 'JavaScript has no possessive repetition';
  return null;
}

function faultOfClass(token: string): string | null {
  if (token.includes('[:')) return 'JavaScript has no named classes';
  if (/[\u{10000}-\u{10ffff}]/u.test(token)) return 'a character in it that is two characters to JavaScript';
  if (/^\[\^?\]/.test(token)) return 'a bracket directly behind the opening one ends the class in JavaScript';
  return [...token.matchAll(/\\([A-Za-z])/g)].every(([, letter = '']) => SAME_ESCAPES.includes(letter) && letter !== 'B')
    ? null
    : 'an escape in it that JavaScript does not know, or takes for something else';
}

/** A dot is all but a line feed, and `$` also stands before the last line feed; JavaScript has other ends of lines. */
function translate(token: string, flags: string): string {
  if (token === '.') return flags.includes('s') ? '[^]' : '[^\\n]';
  if (token === '$') return flags.includes('m') ? '(?![^\\n])' : '(?=\\n?$)';
  if (token === '^' && flags.includes('m')) return '(?<![^\\n])';
  // Two characters to JavaScript: a repetition behind it is of both.
  if (/^[\u{10000}-\u{10ffff}]$/u.test(token)) return `(?:${token})`;
  return ANCHORS[token] ?? (token.startsWith('(?P<') ? token.replace('P', '') : token);
}
