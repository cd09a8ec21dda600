/**
 * Bytes that came from the host (process names, argv, paths) as text that loses nothing, and as text that is
 * safe to show. The kernel does not promise UTF-8: each byte that is not part of a valid sequence is kept as
 * one code point of U+10FF80..U+10FFFF (0x10FF00 + byte). A valid sequence that encodes a code point of that
 * range is itself kept byte by byte, so the mapping is reversible for every input.
 */

const ESCAPE_BASE = 0x10ff00;
const ESCAPE_FIRST = 0x10ff80;

const NOT_ASCII = /[^\0-\x7f]/;

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Decodes host bytes to text. Total: every byte string has exactly one result, and `encodeHostText` gives it back. */
export function decodeHostBytes(bytes: Uint8Array): string {
  try {
    const text = strictDecoder.decode(bytes);
    // The escape range is encoded with the surrogates U+DBFF U+DF80..DFFF: look for it only where it can be.
    return text.includes('\uDBFF') ? decodeBytewise(bytes) : text;
  } catch {
    return decodeBytewise(bytes);
  }
}

/** `decodeHostBytes` of bytes that are given as text with one character for each (latin1): nearly always ASCII, and then itself. */
export function decodeHostLatin1(bytes: string): string {
  return NOT_ASCII.test(bytes) ? decodeHostBytes(Uint8Array.from(bytes, (character) => character.charCodeAt(0))) : bytes;
}

/** Encodes text made by `decodeHostBytes` to the bytes it came from. */
export function encodeHostText(text: string): Uint8Array {
  if (!text.includes('\uDBFF')) return encoder.encode(text);
  const parts: number[] = [];
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (codePoint >= ESCAPE_FIRST) parts.push(codePoint - ESCAPE_BASE);
    else parts.push(...encoder.encode(character));
  }
  return Uint8Array.from(parts);
}

/**
 * Text as a person may see it: bytes that were not UTF-8 as `\xNN`; control, format and bidirectional characters
 * as `\xNN` or `\u{…}`, so that a hostile name can neither move the cursor nor disguise itself.
 */
export function displayHostText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u{10FF80}-\u{10FFFF}]/gu, (character) => {
    const codePoint = character.codePointAt(0) ?? 0;
    if (codePoint >= ESCAPE_FIRST) return `\\x${(codePoint - ESCAPE_BASE).toString(16)}`;
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (character === '\r') return '\\r';
    if (codePoint <= 0xff) return `\\x${codePoint.toString(16).padStart(2, '0')}`;
    return `\\u{${codePoint.toString(16)}}`;
  });
}

/** The length of the valid UTF-8 sequence at `at`, or 0 (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length =
    first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}

function decodeBytewise(bytes: Uint8Array): string {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    const decoded = length === 0 ? '' : strictDecoder.decode(bytes.subarray(at, at + length));
    if (length > 0 && (decoded.codePointAt(0) ?? 0) < ESCAPE_FIRST) {
      text += decoded;
      at += length;
      continue;
    }
    const end = at + Math.max(length, 1);
    for (; at < end; at++) text += String.fromCodePoint(ESCAPE_BASE + (bytes[at] ?? 0));
  }
  return text;
}
