/**
 * Holds how much there is to read: nine functions of ten fit on a screen, and what runs with privileges stays small
 * enough to be read whole in a day.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { REPOSITORY, reportFindings, type Finding } from './finding.ts';

const NINE_OF_TEN_LINES = 40;
/** Scans alone were 2,000 lines; events, queue, hashing, limits and the sources of a container's names came to twice as many more; what
 * keeps the ledger's checkpoints and mirrors to 650. */
const PROCMOND_LINES = 6700;
/** What a program for Linux does not carry. */
const OTHER_SYSTEMS = /^packages\/procmond\/src\/sources\/(macos|windows|portable)-/;
const SOURCES = 'packages/*/src/**/*.ts';
const NOT_SHIPPED = /\.test\.ts$|\.fixture\.ts$|\/fixtures\//;

type Length = { readonly file: string; readonly line: number; readonly name: string; readonly lines: number };

/** Every function that has a name and a body, with the lines from its first word to its last brace. */
export function functionLengths(file: string, text: string): Length[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Length[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) && node.body !== undefined && node.name !== undefined) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const last = source.getLineAndCharacterOfPosition(node.end).line;
      found.push({ file, line: first + 1, name: node.name.getText(), lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The length that nine of ten functions do not exceed. */
export function ninetiethPercentile(lengths: readonly Length[]): number {
  const sorted = lengths.map(({ lines }) => lines).toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.9) - 1] ?? 0;
}

function main(): void {
  const files = globSync(SOURCES, { cwd: REPOSITORY }).filter((file) => !NOT_SHIPPED.test(file));
  const texts = files.map((file) => ({ file, text: readFileSync(join(REPOSITORY, file), 'utf8') }));
  const lengths = texts.flatMap(({ file, text }) => functionLengths(file, text));
  const p90 = ninetiethPercentile(lengths);
  const ofProcmond = texts
    .filter(({ file }) => file.startsWith('packages/procmond/') && !OTHER_SYSTEMS.test(file))
    .reduce((sum, { text }) => sum + text.trimEnd().split('\n').length, 0);
  const longest = lengths.toSorted((a, b) => b.lines - a.lines)[0];
  const findings: Finding[] = [];
  if (lengths.length === 0) findings.push({ rule: 'lengths', message: `no function was found in ${SOURCES}` });
  if (p90 > NINE_OF_TEN_LINES)
    findings.push({ rule: 'function-length', message: `nine of ten functions have up to ${p90} lines, not ${NINE_OF_TEN_LINES}` });
  if (ofProcmond > PROCMOND_LINES)
    findings.push({
      rule: 'procmond-length',
      message: `procmond has ${ofProcmond} lines of its own; ${PROCMOND_LINES} are the most`,
    });
  reportFindings(findings, [
    `${lengths.length} functions, nine of ten up to ${p90} lines, the longest ${longest?.name ?? '-'} with ${longest?.lines ?? 0}; procmond has ${ofProcmond} lines`,
  ]);
}

if (import.meta.main) main();
