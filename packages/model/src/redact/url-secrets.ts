/**
 * Passwords and tokens between the scheme and the host of a URL. The user's name is kept where it is a name.
 */
import { isQuote, isSpace, note, type Found } from './spans.ts';

const COLON = 58;
const AT = 64;
/** Names that stand before `@` are shorter or have no digits. */
const TOKEN_USER = /^(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_-]{20,}$/;
const USER_LIMIT = 512;

/** Notes the credentials of every URL in the text. */
export function findUrlCredentials(found: Found): void {
  const { text } = found;
  // Where the next @ and the next end of a URL are, so that nothing is searched twice.
  const next = { at: -2, space: -1 };
  for (let scheme = text.indexOf('://'); scheme >= 0; scheme = text.indexOf('://', scheme + 3)) {
    const from = scheme + 3;
    const authority = authorityOf(found, from);
    const end = authority.lastAt >= 0 ? authority.lastAt : lateAt(found, from, authority, next);
    if (end >= 0) noteUserInfo(found, from, end);
  }
}

type Authority = { readonly end: number; readonly lastAt: number; readonly colon: number };

function authorityOf(found: Found, from: number): Authority {
  const { text } = found;
  let lastAt = -1;
  let colon = -1;
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // / ? # < > and what parts words
    if (code === 47 || code === 63 || code === 35 || code === 60 || code === 62 || isSpace(code) || isQuote(code)) break;
    if (code === AT) lastAt = at;
    else if (code === COLON && colon < 0) colon = at;
  }
  found.steps += at - from + 1;
  return { end: at, lastAt, colon };
}

/** The @ after a password that holds a slash or a question mark: what follows the colon is no port then. */
function lateAt(found: Found, from: number, { end, colon }: Authority, next: { at: number; space: number }): number {
  const { text } = found;
  if (colon < 0 || /^\d{0,5}$/.test(text.slice(colon + 1, Math.min(end, colon + 8)))) return -1;
  if (next.at !== -1 && next.at < from) {
    next.at = text.indexOf('@', from);
    found.steps += (next.at < 0 ? text.length : next.at) - from;
  }
  if (next.space < from) {
    next.space = from;
    while (next.space < text.length && !isSpace(text.charCodeAt(next.space)) && !isQuote(text.charCodeAt(next.space))) next.space++;
    found.steps += next.space - from;
  }
  return next.at >= 0 && next.at < next.space ? next.at : -1;
}

function noteUserInfo(found: Found, from: number, end: number): void {
  const { text } = found;
  const colon = text.indexOf(':', from);
  found.steps += end - from;
  const hasPassword = colon >= 0 && colon < end;
  const user = text.slice(from, Math.min(hasPassword ? colon : end, from + USER_LIMIT));
  if (TOKEN_USER.test(user)) note(found, from, hasPassword ? colon : end);
  if (hasPassword) note(found, colon + 1, end);
}
