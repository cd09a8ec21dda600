/**
 * Modifiers that make other texts of a text: dashes as Windows takes them, and base64. Each gives alternatives.
 */
import type { TextTransform } from './modifiers.ts';
import { plainText, type TextPart, type WildcardText } from './wildcard-text.ts';

export type Transformed = { readonly ok: true; readonly texts: readonly WildcardText[] } | { readonly ok: false; readonly message: string };

/** Each can be written in five ways: four of them make 625 alternatives, and more would be a rule that nobody reads. */
const MAX_DASHES = 4;
const DASHES = ['-', '/', '\u2013', '\u2014', '\u2015'];
/** A dash before a word: the `-` of `-enc`, not that of `two-words`. */
const DASH = /\B[-/]\b/;

/** Applies the transforms in their order; windash is the first of them, if it is there. */
export function transformText(text: WildcardText, transforms: readonly TextTransform[]): Transformed {
  let texts: readonly WildcardText[] = [text];
  for (const [at, transform] of transforms.entries()) {
    if (transform === 'windash') {
      if (countDashes(text) > MAX_DASHES)
        return {
          ok: false,
          message: `the value has more than ${MAX_DASHES} dashes, each of which "windash" writes in ${DASHES.length} ways`,
        };
      texts = windash(text);
    } else if (transform === 'base64' || transform === 'base64offset') {
      const encoded = texts.map((one) => base64Of(one, transform, transforms[at - 1]));
      if (encoded.includes(null)) return { ok: false, message: `the value has a wildcard, and "${transform}" encodes plain text alone` };
      texts = encoded.flatMap((alternatives) => alternatives ?? []);
    }
  }
  return { ok: true, texts };
}

function countDashes(text: WildcardText): number {
  return text.reduce((count, part) => count + (part.kind === 'text' ? part.text.split(DASH).length - 1 : 0), 0);
}

/** Every way to write the dashes. */
function windash(text: WildcardText): readonly WildcardText[] {
  return text.reduce<readonly WildcardText[]>(
    (before, part) => {
      const variants: readonly TextPart[] =
        part.kind === 'text' ? dashVariants(part.text).map((one) => ({ kind: 'text', text: one })) : [part];
      return before.flatMap((start) => variants.map((variant) => [...start, variant]));
    },
    [[]],
  );
}

function dashVariants(text: string): readonly string[] {
  const [first = '', ...rest] = text.split(DASH);
  return rest.reduce<readonly string[]>((before, piece) => before.flatMap((start) => DASHES.map((dash) => start + dash + piece)), [first]);
}

/** Null where the text has a wildcard. */
function base64Of(
  text: WildcardText,
  transform: 'base64' | 'base64offset',
  encoding: TextTransform | undefined,
): readonly WildcardText[] | null {
  const plain = plainText(text);
  if (plain === null) return null;
  const bytes = bytesOf(plain, encoding);
  const encoded = transform === 'base64' ? [bytes.toString('base64')] : [0, 1, 2].map((offset) => offsetBase64(bytes, offset));
  return encoded.map((word) => [{ kind: 'text', text: word }]);
}

function bytesOf(text: string, encoding: TextTransform | undefined): Buffer {
  switch (encoding) {
    case 'wide':
      return Buffer.from(text, 'utf16le');
    case 'utf16':
      return Buffer.from(`\uFEFF${text}`, 'utf16le');
    case 'utf16be':
      return Buffer.from(text, 'utf16le').swap16();
    default:
      return Buffer.from(text);
  }
}

/** Those characters of the base64 text that the bytes alone decide, where `offset` other bytes stand before them. */
function offsetBase64(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset, ' '), bytes]).toString('base64');
  const start = [0, 2, 3][offset] ?? 0;
  const overhang = (bytes.length + offset) % 3;
  return encoded.slice(start, overhang === 0 ? undefined : overhang === 1 ? -3 : -2);
}
