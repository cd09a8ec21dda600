/**
 * YAML as plain data with places, for files that a person wrote and an attacker may have: no anchors, aliases, tags
 * or directives, bounded depth and number of nodes, unique keys. A plain subset keeps what is read and what a reviewer
 * sees the same thing.
 */
import { type CST, type Document, LineCounter, Parser, isMap, isScalar, isSeq, parseDocument, visit } from 'yaml';
import type { FilePlace, LoadProblem } from './load-problem.ts';

export type YamlLimits = { readonly maxNodes: number; readonly maxDepth: number };
export type YamlPath = readonly (string | number)[];

export type YamlFile = {
  readonly file: string;
  readonly value: unknown;
  /** Where the value stands, or the nearest thing around it that exists. */
  readonly placeOf: (path: YamlPath) => FilePlace;
  /** Where the last key of the path stands, or as placeOf. */
  readonly placeOfKey: (path: YamlPath) => FilePlace;
  /** How a text is written: 'BLOCK_LITERAL' for `|`; undefined where there is none. */
  readonly styleOf: (path: YamlPath) => string | undefined;
};

export type ParsedYaml = { readonly ok: true; readonly yaml: YamlFile } | { readonly ok: false; readonly problems: readonly LoadProblem[] };

const MAX_ERRORS_SHOWN = 5;
const SYNTAX_HINT = 'Correct the YAML at that line; check indentation, quotes and colons.';

type Fault = { readonly offset: number; readonly message: string; readonly hint: string };

/** Parses one document. Total: whatever the text is, the answer is a value or problems. */
export function parseYaml(text: string, file: string, limits: YamlLimits): ParsedYaml {
  const lines = new LineCounter();
  const placeAt = (offset: number): FilePlace => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const refused = (faults: readonly Fault[]): ParsedYaml => ({
    ok: false,
    problems: faults.slice(0, MAX_ERRORS_SHOWN).map(({ offset, message, hint }) => ({ file, ...placeAt(offset), message, hint })),
  });
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const early = faultInText(text) ?? faultInTokens(tokens, limits);
  if (early !== null) return refused([early]);
  const document = parseDocument(text, { version: '1.2', schema: 'core', strict: true, uniqueKeys: true, prettyErrors: false });
  if (document.errors.length > 0)
    return refused(
      document.errors.map((error) => ({ offset: error.pos[0], message: syntaxMessage(error.code, error.message), hint: SYNTAX_HINT })),
    );
  const complexKey = faultInKeys(document);
  if (complexKey !== null) return refused([complexKey]);
  return { ok: true, yaml: describe(document, file, placeAt) };
}

function describe(document: Document.Parsed, file: string, placeAt: (offset: number) => FilePlace): YamlFile {
  const placeOf = (path: YamlPath): FilePlace => {
    for (let length = path.length; length >= 0; length--) {
      const offset = offsetOf(nodeAt(document, path.slice(0, length)));
      if (offset !== null) return placeAt(offset);
    }
    return { line: 1, column: 1 };
  };
  return {
    file,
    value: document.toJS({ maxAliasCount: 0 }),
    placeOf,
    placeOfKey: (path) => {
      const offset = offsetOf(keyAt(document, path));
      return offset === null ? placeOf(path) : placeAt(offset);
    },
    styleOf: (path) => {
      const node = nodeAt(document, path);
      return isScalar(node) ? node.type : undefined;
    },
  };
}

function nodeAt(document: Document.Parsed, path: YamlPath): unknown {
  return path.length === 0 ? document.contents : document.getIn(path, true);
}

function keyAt(document: Document.Parsed, path: YamlPath): unknown {
  const parent = nodeAt(document, path.slice(0, -1));
  const key = path.at(-1);
  if (!isMap(parent)) return isSeq(parent) ? nodeAt(document, path) : null;
  return parent.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key)?.key;
}

function offsetOf(node: unknown): number | null {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return null;
  const start: unknown = node.range[0];
  return typeof start === 'number' ? start : null;
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'The same key is given twice';
  if (code === 'MULTIPLE_DOCS') return 'A second document begins: one file holds one document';
  return `Not valid YAML: ${message}`;
}

function faultInText(text: string): Fault | null {
  const offset = text.search(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/);
  return offset < 0
    ? null
    : {
        offset,
        message: 'A control character stands in the file',
        hint: 'Remove it; within double quotes it can be written as an escape.',
      };
}

/** Walks the tokens without recursion: this runs before anything that a deep file could overflow. */
function faultInTokens(tokens: readonly CST.Token[], limits: YamlLimits): Fault | null {
  let nodes = 0;
  const waiting = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next;
    const refused = REFUSED_TOKENS[token.type];
    if (refused !== undefined) return { offset: token.offset, ...refused };
    if (++nodes > limits.maxNodes)
      return { offset: token.offset, message: `The file has more than ${limits.maxNodes} parts`, hint: 'Split it.' };
    if (depth > limits.maxDepth)
      return {
        offset: token.offset,
        message: `The file is nested deeper than ${limits.maxDepth} levels`,
        hint: 'Rule and case files are flat: check the brackets and the indentation.',
      };
    for (const child of childrenOf(token)) waiting.push({ token: child, depth: depth + 1 });
  }
  return null;
}

const PLAIN_HINT = 'Write the value out: rule and case files are plain YAML.';
const REFUSED_TOKENS: Readonly<Record<string, { readonly message: string; readonly hint: string }>> = {
  alias: { message: 'An alias (*name) is not allowed', hint: `${PLAIN_HINT} A text that begins with * needs quotes.` },
  anchor: { message: 'An anchor (&name) is not allowed', hint: `${PLAIN_HINT} A text that begins with & needs quotes.` },
  tag: { message: 'A tag (!name) is not allowed', hint: `${PLAIN_HINT} A text that begins with ! needs quotes.` },
  directive: { message: 'A directive (%NAME) is not allowed', hint: PLAIN_HINT },
};

/** Tokens that count: values, and what decorates them. White space, comments and punctuation do not. */
function childrenOf(token: CST.Token): CST.Token[] {
  const parts: (CST.Token | null | undefined)[] = [];
  if ('start' in token && Array.isArray(token.start)) parts.push(...decorations(token.start));
  if ('value' in token) parts.push(token.value);
  if ('items' in token)
    for (const item of token.items) parts.push(...decorations(item.start), item.key, ...decorations(item.sep ?? []), item.value);
  return parts.filter((part) => part !== null && part !== undefined);
}

function decorations(tokens: readonly CST.SourceToken[]): CST.SourceToken[] {
  return tokens.filter((token) => REFUSED_TOKENS[token.type] !== undefined);
}

function faultInKeys(document: Document.Parsed): Fault | null {
  let fault: Fault | null = null;
  visit(document, {
    Pair: (_, pair) => {
      if (isScalar(pair.key) && pair.key.value !== null) return undefined;
      fault = {
        offset: offsetOf(pair.key) ?? offsetOf(pair.value) ?? 0,
        message: 'A key is not a plain word',
        hint: 'Keys are words, followed by a colon and a space.',
      };
      return visit.BREAK;
    },
  });
  return fault;
}
