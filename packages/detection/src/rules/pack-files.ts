/**
 * Lists the rule files that lie in a pack, for what its manifest has to list. Links are not followed, wherever they
 * lead: a pack holds its files themselves.
 */
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '@sentineld/model/error';
import { type LoadProblem, fileProblem, unreadableFile } from './load-problem.ts';
import { MANIFEST_NAME, MAX_PACK_FILES, MAX_PACK_LEVELS, isPackFileName } from './pack-manifest.ts';
import { type Trust, refusalOfMode } from './read-rule-file.ts';

export type PackListing = {
  /** Paths within the pack, sorted within each directory. */
  readonly files: readonly string[];
  readonly problems: readonly LoadProblem[];
};

type Walk = { readonly root: string; readonly trust: Trust; readonly files: string[]; readonly problems: LoadProblem[] };

/** What lies in the directory, the manifest and hidden files apart. Nothing is thrown for what is there. */
export function listPackFiles(root: string, trust: Trust): PackListing {
  const walk: Walk = { root, trust, files: [], problems: [] };
  listLevel(walk, '', 1);
  if (walk.files.length > MAX_PACK_FILES)
    walk.problems.push(fileProblem(root, `More than ${MAX_PACK_FILES} rule files are in the pack`, 'Make several packs of them.'));
  return walk;
}

/** `within` is the path in the pack; empty for the pack itself. */
function listLevel(walk: Walk, within: string, level: number): void {
  const directory = join(walk.root, within);
  try {
    const fault = faultOfDirectory(directory, level, walk.trust);
    if (fault !== null) {
      walk.problems.push(fault);
      return;
    }
    const entries = readdirSync(directory, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) if (walk.files.length <= MAX_PACK_FILES) listEntry(walk, within, entry, level);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    walk.problems.push(unreadableFile(directory, error));
  }
}

function faultOfDirectory(directory: string, level: number, trust: Trust): LoadProblem | null {
  if (level > MAX_PACK_LEVELS)
    return fileProblem(directory, `Deeper than ${MAX_PACK_LEVELS} levels in the pack`, 'Move its rules up, or the directory away.');
  const refusal = refusalOfMode(statSync(directory), trust);
  return refusal === null
    ? null
    : fileProblem(directory, `The directory ${refusal}`, `chmod o-w ${directory}, after a look at what is in it.`);
}

function listEntry(walk: Walk, within: string, entry: Dirent, level: number): void {
  const path = within === '' ? entry.name : `${within}/${entry.name}`;
  const full = join(walk.root, path);
  if (entry.isDirectory() && !entry.name.startsWith('.')) listLevel(walk, path, level + 1);
  else if (entry.name === MANIFEST_NAME) {
    if (level > 1) walk.problems.push(fileProblem(full, 'A manifest lies within another pack', 'Move one of the two packs elsewhere.'));
  } else if (!isPackFileName(entry.name) || entry.isDirectory()) return;
  else if (entry.isSymbolicLink())
    walk.problems.push(fileProblem(full, 'A link lies in the pack, and links of a pack are not followed', 'Put the file itself there.'));
  else walk.files.push(path);
}
