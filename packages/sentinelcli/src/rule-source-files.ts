/**
 * Files of rules in another format, as somebody cloned or unpacked them: named by hand, or found in directories at any
 * depth. They are read as text that somebody else wrote, and nothing in a directory leads out of it.
 */
import { lstatSync, readdirSync, type Dirent } from 'node:fs';
import { join, resolve } from 'node:path';
import { SentinelError, errnoOf, reasonOf } from '@sentineld/model/error';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import { readRuleFile, type RuleFile } from '@sentineld/detection/rules/read-rule-file';
import { isDirectory } from './rule-files.ts';

export type SourceFiles = { readonly files: readonly RuleFile[]; readonly problems: readonly LoadProblem[] };

/** Four times what a converted rule may have. */
const MAX_BYTES = 256 * 1024;
const MAX_LEVELS = 16;
const MAX_FILES = 20_000;

/** Reads *.yml and *.yaml, each once, sorted within a directory. Throws 'usage.invalid' for a path that is not there. */
export function readSourceFiles(paths: readonly string[]): SourceFiles {
  const problems: LoadProblem[] = [];
  const found = new Set<string>();
  for (const path of paths) {
    if (isDirectory(path)) listLevel({ found, problems }, resolve(path), 1);
    else found.add(resolve(path));
  }
  const files: RuleFile[] = [];
  for (const path of [...found].slice(0, MAX_FILES)) {
    const read = readRuleFile(path, { maxBytes: MAX_BYTES, trust: 'installed' });
    if (read.ok) files.push(read.file);
    else problems.push(read.problem);
  }
  return { files, problems };
}

type Listing = { readonly found: Set<string>; readonly problems: LoadProblem[] };

/** Links are not followed: what they lead to can be named by itself. */
function listLevel(listing: Listing, directory: string, level: number): void {
  const { found, problems } = listing;
  const problem = (message: string, hint: string): void => void problems.push({ file: directory, line: null, column: null, message, hint });
  if (level > MAX_LEVELS) return problem(`Deeper than ${MAX_LEVELS} levels: it was not read`, 'Name the directory itself.');
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    return problem(`The directory cannot be read: ${reasonOf(cause)}`, 'Check that this user may read it.');
  }
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) listLevel(listing, path, level + 1);
    else if (entry.isFile() && /\.ya?ml$/.test(entry.name)) found.add(path);
    if (found.size > MAX_FILES) return problem(`More than ${MAX_FILES} files; the others were not read`, 'Name smaller directories.');
  }
}

/** Throws where a file would be overwritten that nobody asked for, or something else is in its place: before any is written. */
export function checkTargets(paths: readonly string[], force: boolean): void {
  const taken = paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  const [first] = force ? taken.filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) : taken;
  if (first === undefined) return;
  throw new SentinelError('usage.invalid', {
    message: `${first} is in the way`,
    why: force
      ? 'it is no file'
      : taken.length === 1
        ? 'what is there is not overwritten'
        : `and ${taken.length - 1} more; what is there is not overwritten`,
    hint: force ? 'move it away, or give another directory' : 'give another directory, or --force to replace what is there',
  });
}
