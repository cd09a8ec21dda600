/**
 * Secrets that are known by how they look, wherever they stand: tokens with a prefix of their service, JSON web tokens,
 * private keys in PEM. Ids of access keys (AKIA…) are names, not secrets.
 */
import { endingsOf, isAlphanumeric, mayEnd, note, type Found } from './spans.ts';

type Shape = { readonly prefix: string; readonly least: number; readonly dashes: boolean };

/** `least` counts what comes after the prefix. */
const SHAPES: readonly Shape[] = [
  ...['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_', 'npm_', 'hf_', 'sk_live_', 'rk_live_', 'sk_test_', 'rk_test_'].map(
    (prefix) => ({ prefix, least: 16, dashes: prefix.startsWith('github') }),
  ),
  ...['glpat-', 'gldt-', 'glrt-', 'xoxa-', 'xoxb-', 'xoxp-', 'xoxr-', 'xoxs-', 'xapp-', 'sk-ant-', 'sk-proj-', 'dop_v1_', 'hvs.'].map(
    (prefix) => ({ prefix, least: 10, dashes: true }),
  ),
  { prefix: 'AIza', least: 35, dashes: true },
];
const SHAPES_BY_FIRST = Map.groupBy(SHAPES, ({ prefix }) => prefix.charCodeAt(0));
/** The shortest text that has a shape. */
export const SHORTEST_TOKEN = 15;

const SMALL_E = 101;
/** What a character may be: the first of a token, or one that no token goes on after. */
const FIRST = 1;
const PARTS = 2;
const CLASSES = Uint8Array.from({ length: 128 }, (_, code) => (isAlphanumeric(code) ? 0 : PARTS) | (isFirst(code) ? FIRST : 0));

/** What a web token begins with: a brace and a quote in base64. */
const WEB_TOKEN = 'eyJ';
/** The first three characters of every shape. */
export const TOKEN_STARTS: readonly string[] = [...SHAPES.map(({ prefix }) => prefix.slice(0, 3)), WEB_TOKEN];
/** The first two. */
const BEGINNINGS = endingsOf(TOKEN_STARTS.map((start) => start.slice(0, 2)));

function isFirst(code: number): boolean {
  return code === SMALL_E || SHAPES_BY_FIRST.has(code);
}

/** Notes every token in the text. */
export function findTokens(found: Found): void {
  const { text } = found;
  let isBoundary = true;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const kind = code < 128 ? (CLASSES[code] ?? PARTS) : PARTS;
    const end: number = isBoundary && (kind & FIRST) !== 0 && mayEnd(BEGINNINGS, text, at + 2) ? tokenEnd(found, at, code) : at;
    isBoundary = end > at || (kind & PARTS) !== 0;
    at = Math.max(end, at + 1);
  }
  found.steps += text.length;
  if (text.includes('-----BEGIN ')) findPrivateKeys(found);
}

/** Where the token that begins here ends; `at` where none does. What was looked at in vain is not looked at again. */
function tokenEnd(found: Found, at: number, code: number): number {
  if (code === SMALL_E && found.text.startsWith(WEB_TOKEN, at)) return webTokenEnd(found, at);
  for (const { prefix, least, dashes } of SHAPES_BY_FIRST.get(code) ?? []) {
    if (!found.text.startsWith(prefix, at)) continue;
    const from = at + prefix.length;
    const end = runEnd(found, from, dashes);
    if (end - from < least) continue;
    note(found, at, end);
    return end;
  }
  return at;
}

/** Three parts in base64url with dots between, of which two begin like JSON. Without the third it is still one. */
function webTokenEnd(found: Found, at: number): number {
  const head = runEnd(found, at, true);
  if (!found.text.startsWith(`.${WEB_TOKEN}`, head) || head - at < 8) return head;
  const body = runEnd(found, head + 1, true);
  if (body - head < 8) return body;
  const end = found.text.startsWith('.', body) ? runEnd(found, body + 1, true) : body;
  note(found, at, end);
  return end;
}

function runEnd(found: Found, from: number, dashes: boolean): number {
  const { text } = found;
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isAlphanumeric(code) && !(dashes && (code === 45 || code === 95))) break;
  }
  found.steps += at - from;
  return at;
}

/** From the line that begins a private key to the line that ends it, or to the end of the text. */
function findPrivateKeys(found: Found): void {
  const { text } = found;
  for (let at = text.indexOf('-----BEGIN '); at >= 0; at = text.indexOf('-----BEGIN ', at)) {
    const label = at + '-----BEGIN '.length;
    const line = text.slice(label, label + 48);
    at = label;
    const marker = /^(?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----/.exec(line)?.[0];
    if (marker === undefined) continue;
    const from = label + marker.length;
    const end = text.indexOf('-----END ', from);
    note(found, from, end < 0 ? text.length : end);
    if (end < 0) return;
    at = end;
  }
}
