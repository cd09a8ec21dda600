/**
 * Reads a pack: rules with a manifest that lists every file and its checksum. A pack is read whole or not at all, and
 * what is parsed are the bytes that were held against the manifest.
 */
import { join, relative } from 'node:path';
import type { RuleSource } from '@sentineld/model/rule';
import { type LoadProblem, fileProblem } from './load-problem.ts';
import { listPackFiles } from './pack-files.ts';
import { MANIFEST_NAME, type ManifestRead, type PackFile, type PackManifest, packId, readManifest } from './pack-manifest.ts';
import { nextVersion } from './pack-version.ts';
import { MAX_CASE_FILE_BYTES, MAX_RULE_FILE_BYTES, type Trust, readRuleFile, readSqlBeside } from './read-rule-file.ts';
import { type LoadedRule, parseRule } from './rule-document.ts';

export type PackRead = {
  /** Null where it cannot be read. */
  readonly manifest: PackManifest | null;
  /** None where anything is wrong with the pack. */
  readonly rules: readonly LoadedRule[];
  /** The first of them, and at the end what follows from them. */
  readonly problems: readonly LoadProblem[];
};

export type PackContent = {
  /** What a manifest of it lists. */
  readonly files: readonly PackFile[];
  readonly rules: readonly LoadedRule[];
  readonly problems: readonly LoadProblem[];
};

/** Where everything was changed nobody reads every line. */
const MAX_PROBLEMS = 20;

/** What is wrong with a file of this path in the pack and this checksum; null where it is taken. */
type FileCheck = (path: string, checksum: string) => LoadProblem | null;

/** The pack in a directory, held against its manifest. Nothing is thrown for what it holds. */
export function readPack(directory: string, source: RuleSource, trust: Trust): PackRead {
  const read = readManifest(directory, trust);
  if (!read.ok) return refused(directory, null, read.problems);
  const { manifest } = read;
  const listed = new Map(manifest.files.map(({ file, sha256 }) => [file, sha256]));
  const { files, rules, problems } = readContent(directory, source, trust, checkAgainst(directory, read, listed));
  const missing = missingFiles(directory, read, files, problems);
  if (problems.length + missing.length > 0) return refused(directory, manifest, [...problems, ...missing]);
  const pack = { pack: packId(manifest), packManifest: join(directory, MANIFEST_NAME) };
  return { manifest, problems: [], rules: rules.map((rule) => ({ ...rule, ...pack })) };
}

/** What a directory holds that is to become a pack, whatever its manifest says. */
export function readPackContent(directory: string, trust: Trust): PackContent {
  return readContent(directory, 'file', trust, () => null);
}

/** What is told where a pack is left out because of some of it. */
export function packLeftOut(manifestPath: string, pack: string | null, more: number): LoadProblem {
  const name = pack === null ? 'this pack' : `the pack ${pack}`;
  const rest = more === 0 ? '' : ` (${more} more faults are not shown)`;
  return fileProblem(manifestPath, `None of the rules of ${name} is loaded${rest}`, 'A pack is loaded whole: mend what is told of it.');
}

function refused(directory: string, manifest: PackManifest | null, problems: readonly LoadProblem[]): PackRead {
  const left = packLeftOut(
    join(directory, MANIFEST_NAME),
    manifest === null ? null : packId(manifest),
    Math.max(0, problems.length - MAX_PROBLEMS),
  );
  return { manifest, rules: [], problems: [...problems.slice(0, MAX_PROBLEMS), left] };
}

/** Names of files in hints are as they were given: the command is to be typed. */
function anew(directory: string, { version }: PackManifest): string {
  return `if the change is meant, sentinelcli rules pack ${directory} --pack-version ${nextVersion(version)} writes the manifest anew.`;
}

function checkAgainst(
  directory: string,
  { manifest, lineOf }: Extract<ManifestRead, { readonly ok: true }>,
  listed: ReadonlyMap<string, string>,
): FileCheck {
  return (path, checksum) => {
    const expected = listed.get(path);
    if (expected === checksum) return null;
    const full = join(directory, path);
    if (expected === undefined)
      return fileProblem(
        full,
        `The manifest of ${packId(manifest)} does not list this file, which has the SHA-256 ${checksum}`,
        `Take it away; ${anew(directory, manifest)}`,
      );
    return fileProblem(
      full,
      `Its SHA-256 is not the one of the manifest of ${packId(manifest)}: expected ${expected} (${MANIFEST_NAME}:${lineOf(path)}), found ${checksum}`,
      `Put the file back as it was; ${anew(directory, manifest)}`,
    );
  };
}

/** What is listed and not there; a file that could not be read was told already. */
function missingFiles(
  directory: string,
  { manifest, lineOf }: Extract<ManifestRead, { readonly ok: true }>,
  files: readonly PackFile[],
  problems: readonly LoadProblem[],
): LoadProblem[] {
  const told = new Set([...files.map(({ file }) => join(directory, file)), ...problems.map(({ file }) => file)]);
  return manifest.files
    .map(({ file }) => ({ file, full: join(directory, file) }))
    .filter(({ full }) => !told.has(full))
    .map(({ file, full }) =>
      fileProblem(
        full,
        `The manifest of ${packId(manifest)} lists this file (${MANIFEST_NAME}:${lineOf(file)}), and it is not there`,
        `Put it back; ${anew(directory, manifest)}`,
      ),
    );
}

function readContent(directory: string, source: RuleSource, trust: Trust, check: FileCheck): PackContent {
  const { files: paths, problems: found } = listPackFiles(directory, trust);
  const problems = [...found];
  const files: PackFile[] = [];
  const rules: LoadedRule[] = [];
  for (const path of paths) {
    const maxBytes = isCaseFile(path) ? MAX_CASE_FILE_BYTES : MAX_RULE_FILE_BYTES;
    const read = readRuleFile(join(directory, path), { maxBytes, trust });
    const problem = read.ok ? check(path, read.file.checksum) : read.problem;
    if (read.ok) files.push({ file: path, sha256: read.file.checksum });
    if (problem !== null) problems.push(problem);
    if (problem !== null || !read.ok || isCaseFile(path) || path.endsWith('.sql')) continue;
    const parsed = parseRule(read.file, source, () => {
      const sql = readSqlBeside(read.file.path, trust);
      if (sql === null || !sql.ok) return sql;
      const fault = check(relative(directory, sql.file.path), sql.file.checksum);
      return fault === null ? sql : { ok: false, problem: fault };
    });
    if (parsed.ok) rules.push(parsed.rule);
    else problems.push(...parsed.problems);
  }
  return { files, rules, problems: withoutRepeats([...problems, ...takenIds(rules)]) };
}

function isCaseFile(path: string): boolean {
  return /\.case\.ya?ml$/.test(path);
}

/** A query that is not as it was is found by itself and with its rule. */
function withoutRepeats(problems: readonly LoadProblem[]): readonly LoadProblem[] {
  const keyOf = ({ file, line, message }: LoadProblem): string => JSON.stringify([file, line, message]);
  return [...new Map(problems.toReversed().map((problem) => [keyOf(problem), problem])).values()].toReversed();
}

function takenIds(rules: readonly LoadedRule[]): LoadProblem[] {
  const byId = new Map<string, LoadedRule>();
  return rules.flatMap((rule) => {
    const earlier = byId.get(rule.id);
    if (earlier === undefined) byId.set(rule.id, rule);
    if (earlier === undefined) return [];
    const message = `The rule id "${rule.id}" is already taken by ${earlier.sourcePath}`;
    return [{ file: rule.sourcePath, ...rule.places.id, key: 'id', ruleId: rule.id, message, hint: 'Give it another id.' }];
  });
}
