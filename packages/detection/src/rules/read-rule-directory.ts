/**
 * Reads the rules of one directory: *.yaml and *.yml, sorted, at most three levels deep. Whatever cannot be read or
 * believed becomes a problem and the rest is loaded. The directory, or one directly in it, is a pack where it has a
 * manifest.
 */
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { errnoOf } from '@sentineld/model/error';
import type { RuleSource } from '@sentineld/model/rule';
import { type LoadProblem, fileProblem, unreadableFile } from './load-problem.ts';
import { MANIFEST_NAME } from './pack-manifest.ts';
import { readPack } from './read-pack.ts';
import { readRule } from './read-rule.ts';
import { type Trust, refusalOfMode } from './read-rule-file.ts';
import type { LoadedRule } from './rule-document.ts';

export type LoadedRules = { readonly rules: readonly LoadedRule[]; readonly problems: readonly LoadProblem[] };

/** A rule file, or the directory of a pack. */
type Found = { readonly kind: 'rule' | 'pack'; readonly path: string };

type Listing = { readonly found: Found[]; readonly problems: LoadProblem[] };

const MAX_RULE_LEVELS = 3;
/** Packs lie in the directory itself or directly in it. */
const MAX_PACK_ROOT_LEVEL = 2;
const MAX_FILES = 5_000;

/** True for `x.yaml` and `x.yml`, not for a case file or a hidden file. */
function isRuleFileName(name: string): boolean {
  return /\.ya?ml$/.test(name) && !/\.case\.ya?ml$/.test(name) && !name.startsWith('.');
}

/** Loads what a directory holds. Nothing is thrown for what the directory contains. */
export function readRuleDirectory(directory: string, source: RuleSource, trust: Trust): LoadedRules {
  const { found, problems } = listRuleFiles(directory, trust);
  const rules: LoadedRule[] = [];
  let files = 0;
  for (const { kind, path } of found) {
    if (files >= MAX_FILES) {
      problems.push(fileProblem(directory, `More than ${MAX_FILES} rule files; the others were not read`, 'Remove what is not needed.'));
      break;
    }
    const read = kind === 'pack' ? readPack(path, source, trust) : readOne(path, source, trust);
    rules.push(...read.rules);
    problems.push(...read.problems);
    files += Math.max(1, read.rules.length);
  }
  return { rules, problems };
}

function readOne(path: string, source: RuleSource, trust: Trust): LoadedRules {
  const parsed = readRule(path, source, trust);
  return parsed.ok ? { rules: [parsed.rule], problems: [] } : { rules: [], problems: parsed.problems };
}

function listRuleFiles(directory: string, trust: Trust): Listing {
  const listing: Listing = { found: [], problems: [] };
  try {
    const root = realpathSync(directory);
    listLevel(root, { root, trust, level: 1, listing });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    listing.problems.push(unreadableFile(directory, error));
  }
  return listing;
}

type Walk = { readonly root: string; readonly trust: Trust; readonly level: number; readonly listing: Listing };

function listLevel(directory: string, walk: Walk): void {
  const { listing } = walk;
  if (walk.level > MAX_RULE_LEVELS) {
    listing.problems.push(fileProblem(directory, `Deeper than ${MAX_RULE_LEVELS} levels: it was not read`, 'Move its rules up.'));
    return;
  }
  try {
    const refusal = refusalOfMode(statSync(directory), walk.trust);
    if (refusal !== null) {
      listing.problems.push(fileProblem(directory, `The directory ${refusal}`, `chmod o-w ${directory}, after a look at what is in it.`));
      return;
    }
    const entries = readdirSync(directory, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    if (entries.some(({ name }) => name === MANIFEST_NAME)) listPack(directory, walk);
    else for (const entry of entries) listEntry(directory, entry, walk);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    listing.problems.push(unreadableFile(directory, error));
  }
}

/** A pack that is not looked for is not read as plain rules: its checksums would count for nothing. */
function listPack(directory: string, { level, listing }: Walk): void {
  if (level <= MAX_PACK_ROOT_LEVEL) listing.found.push({ kind: 'pack', path: directory });
  else
    listing.problems.push(
      fileProblem(directory, 'A pack lies too deep, and was not read', 'Move it up, directly into the directory of rules.'),
    );
}

function listEntry(directory: string, entry: Dirent, walk: Walk): void {
  const path = join(directory, entry.name);
  if (entry.isDirectory()) {
    if (!entry.name.startsWith('.')) listLevel(path, { ...walk, level: walk.level + 1 });
    return;
  }
  if (!isRuleFileName(entry.name)) return;
  if (!entry.isSymbolicLink()) {
    walk.listing.found.push({ kind: 'rule', path });
    return;
  }
  const target = targetWithin(path, walk);
  if (target.ok) walk.listing.found.push({ kind: 'rule', path: target.path });
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
        problem: fileProblem(
          path,
          `The directory of its target ${target} ${refusal}`,
          `chmod o-w ${dirname(target)}, after a look at what is in it.`,
        ),
      };
    if (target.startsWith(root + sep)) return { ok: true, path: target };
    return {
      ok: false,
      problem: fileProblem(
        path,
        `A link that leads out of the directory, to ${target}`,
        'Copy the rule, or name its directory in the configuration.',
      ),
    };
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return { ok: false, problem: unreadableFile(path, error) };
  }
}
