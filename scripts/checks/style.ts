/**
 * House rules that no linter knows: a source file says first what it is for, stays under 300 lines and has a name
 * that means something; no test is left alone or switched off; no unfinished work is marked in the code.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { REPOSITORY, formatFinding, reportFindings, type Finding } from './finding.ts';

const MAX_LINES = 300;
const OPENING_LINES = { least: 1, most: 5 } as const;
const UNFINISHED = /\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b/;
const LONE_TEST = /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:only|skip|todo)\b/;
const EMPTY_NAME = /^(?:utils?|helpers?|common|misc|core|manager|service|types)$/;
const TEST = /\.test\.ts$/;

/** Lines of prose in the comment that opens a file, after a `#!` line if there is one; 0 where there is none. */
export function countOpeningLines(text: string): number {
  const body = text.replace(/^#![^\n]*\n/, '');
  const block = /^\/\*+([\s\S]*?)\*\//.exec(body);
  const prose = block === null ? (/^(?:\/\/[^\n]*\n)+/.exec(body)?.[0] ?? '') : (block[1] ?? '');
  return prose.split('\n').filter((line) => /\w/.test(line)).length;
}

function isShippedSource(file: string): boolean {
  return /^packages\/[^/]+\/src\/.*\.ts$/.test(file) && !TEST.test(file);
}

function checkLines(file: string, lines: readonly string[]): Finding[] {
  return lines.flatMap((text, index) => {
    const place = { file, line: index + 1 };
    const unfinished = UNFINISHED.exec(text)?.[0];
    const lone = TEST.test(file) ? LONE_TEST.exec(text)?.[0] : undefined;
    return [
      ...(unfinished === undefined ? [] : [{ rule: 'unfinished', ...place, message: `says ${unfinished}: finish it, or open an issue` }]),
      ...(lone === undefined ? [] : [{ rule: 'lone-test', ...place, message: `${lone}: other tests, or this one, do not run` }]),
    ];
  });
}

/** Findings in one file; `file` is its path from the repository's root. */
export function checkStyle(file: string, text: string): Finding[] {
  const lines = text.split('\n');
  const findings = checkLines(file, lines);
  if (!isShippedSource(file)) return findings;
  const opening = countOpeningLines(text);
  if (opening < OPENING_LINES.least || opening > OPENING_LINES.most) {
    findings.push({
      rule: 'opening-comment',
      file,
      message: `opens with ${String(opening)} lines of comment; say in 2 to 5 what it is for and what it trusts`,
    });
  }
  const length = lines.length - (text.endsWith('\n') ? 1 : 0);
  if (length > MAX_LINES)
    findings.push({
      rule: 'file-length',
      file,
      message: `${String(length)} lines; past ${String(MAX_LINES)}, ask what two things live here`,
    });
  const empty = file
    .split('/')
    .slice(3)
    .find((part) => EMPTY_NAME.test(basename(part, '.ts')));
  if (empty !== undefined) findings.push({ rule: 'empty-name', file, message: `'${empty}' does not say what is in it` });
  return findings;
}

/** Long tests fail nothing, but are shown. */
function longTests(files: ReadonlyMap<string, string>): Finding[] {
  return [...files].flatMap(([file, text]) => {
    const length = text.split('\n').length - 1;
    return TEST.test(file) && length > MAX_LINES ? [{ rule: 'file-length', file, message: `a test of ${String(length)} lines` }] : [];
  });
}

if (import.meta.main) {
  const paths = globSync('{packages/*/{src,c,rules}/**/*.{ts,c,h,yaml},packages/*/*.sh,scripts/**/*.{ts,sh},.ci/run}', {
    cwd: REPOSITORY,
    exclude: (name) => name === 'node_modules' || name === 'dist',
  }).toSorted();
  if (!paths.some(isShippedSource)) throw new Error('no source files: nothing can be checked');
  const files = new Map(paths.map((path) => [path, readFileSync(join(REPOSITORY, path), 'utf8')]));
  const findings = [...files].flatMap(([file, text]) => checkStyle(file, text));
  reportFindings(findings, longTests(files).map(formatFinding));
}
