/**
 * Reads the rules of one directory: *.yaml and *.yml, sorted, at most three levels deep. Whatever cannot be read or
 * believed becomes a problem and the rest is loaded.
 */
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { errnoOf, messageOf } from '@sentineld/model/error';
import type { RuleSource } from '@sentineld/model/rule';
import type { LoadProblem } from './load-problem.ts';
import { readRule } from './read-rule.ts';
import { type Trust, refusalOfMode } from './read-rule-file.ts';
import type { LoadedRule } from './rule-document.ts';

export type LoadedRules = { readonly rules: readonly LoadedRule[]; readonly problems: readonly LoadProblem[] };

type Listing = { readonly paths: string[]; readonly problems: LoadProblem[] };

const MAX_RULE_LEVELS = 3;
const MAX_FILES = 5_000;

/** True for `x.yaml` and `x.yml`, not for a case file or a hidden file. */
function isRuleFileName(name: string): boolean {
  return /\.ya?ml$/.test(name) && !/\.case\.ya?ml$/.test(name) && !name.startsWith('.');
}

/** Loads what a directory holds. Nothing is thrown for what the directory contains. */
export function readRuleDirectory(directory: string, source: RuleSource, trust: Trust): LoadedRules {
  const { paths, problems } = listRuleFiles(directory, trust);
  const rules: LoadedRule[] = [];
  for (const path of paths.slice(0, MAX_FILES)) {
    const parsed = readRule(path, source, trust);
    if (parsed.ok) rules.push(parsed.rule);
    else problems.push(...parsed.problems);
  }
  if (paths.length > MAX_FILES)
    problems.push(problemWith(directory, `More than ${MAX_FILES} rule files; the others were not read`, 'Remove what is not needed.'));
  return { rules, problems };
}

function listRuleFiles(directory: string, trust: Trust): Listing {
  const listing: Listing = { paths: [], problems: [] };
  try {
    const root = realpathSync(directory);
    listLevel(root, { root, trust, level: 1, listing });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    listing.problems.push(unreadable(directory, error));
  }
  return listing;
}

type Walk = { readonly root: string; readonly trust: Trust; readonly level: number; readonly listing: Listing };

function listLevel(directory: string, walk: Walk): void {
  const { listing } = walk;
  if (walk.level > MAX_RULE_LEVELS) {
    listing.problems.push(problemWith(directory, `Deeper than ${MAX_RULE_LEVELS} levels: it was not read`, 'Move its rules up.'));
    return;
  }
  try {
    const refusal = refusalOfMode(statSync(directory), walk.trust);
    if (refusal !== null) {
      listing.problems.push(problemWith(directory, `The directory ${refusal}`, `chmod o-w ${directory}, after a look at what is in it.`));
      return;
    }
    const entries = readdirSync(directory, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) listEntry(directory, entry, walk);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    listing.problems.push(unreadable(directory, error));
  }
}

function listEntry(directory: string, entry: Dirent, walk: Walk): void {
  const path = join(directory, entry.name);
  if (entry.isDirectory()) {
    if (!entry.name.startsWith('.')) listLevel(path, { ...walk, level: walk.level + 1 });
    return;
  }
  if (!isRuleFileName(entry.name)) return;
  if (!entry.isSymbolicLink()) {
    walk.listing.paths.push(path);
    return;
  }
  const target = targetWithin(path, walk);
  if (target.ok) walk.listing.paths.push(target.path);
  else walk.listing.problems.push(target.problem);
}

/** A link to a file of the same directory tree is read; every other one is refused. */
function targetWithin(
  path: string,
  { root, trust }: Walk,
): { readonly ok: true; readonly path: string } | { readonly ok: false; readonly problem: LoadProblem } {
  try {
    const target = realpathSync(path);
    const refusal = refusalOfMode(statSync(dirname(target)), trust);
    if (refusal !== null)
      return {
        ok: false,
        problem: problemWith(
          path,
          `The directory of its target ${target} ${refusal}`,
          `chmod o-w ${dirname(target)}, after a look at what is in it.`,
        ),
      };
    if (target.startsWith(root + sep)) return { ok: true, path: target };
    return {
      ok: false,
      problem: problemWith(
        path,
        `A link that leads out of the directory, to ${target}`,
        'Copy the rule, or name its directory in the configuration.',
      ),
    };
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return { ok: false, problem: unreadable(path, error) };
  }
}

function unreadable(path: string, error: unknown): LoadProblem {
  return problemWith(path, `It cannot be read: ${messageOf(error)}`, 'Check that it exists, and that this user may read it.');
}

function problemWith(file: string, message: string, hint: string): LoadProblem {
  return { file, line: null, column: null, message, hint };
}
