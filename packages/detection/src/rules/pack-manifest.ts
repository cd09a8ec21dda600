/**
 * The manifest of a pack, `pack.yaml`: what the pack is called, and the checksum of every rule file in it. It is read
 * as strictly as a rule, and written so that it reads back as the same.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { LoadProblem } from './load-problem.ts';
import { PACK_VERSION } from './pack-version.ts';
import { parseYaml } from './parse-yaml.ts';
import { readRuleFile, type RuleFile, type Trust } from './read-rule-file.ts';
import { line } from './rule-document.ts';
import { type KeySummaries, problemsFromIssues } from './schema-problems.ts';

/** The file that makes a directory a pack. */
export const MANIFEST_NAME = 'pack.yaml';
export const MAX_PACK_FILES = 2_000;
/** The files of a pack lie at most in a directory of a directory of it. */
export const MAX_PACK_LEVELS = 3;
export const MAX_MANIFEST_BYTES: number = 256 * 1024;

/** A rule file of a pack: its path within the pack, with `/` between directories, and the SHA-256 of its bytes, hex. */
export type PackFile = { readonly file: string; readonly sha256: string };

export type PackManifest = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly author?: string | undefined;
  readonly licence?: string | undefined;
  readonly files: readonly PackFile[];
};

export type ManifestRead =
  | { readonly ok: true; readonly manifest: PackManifest; readonly lineOf: (file: string) => number }
  | { readonly ok: false; readonly problems: readonly LoadProblem[] };

/** Every key of a manifest and what belongs there; docs/rules.md has the same list. */
export const PACK_KEYS: KeySummaries = {
  name: 'Small letters, digits and hyphens, at most 64, beginning and ending with a letter or digit.',
  version: 'Dotted numbers between quotes, at most four of them, such as "1.4.0".',
  description: 'One line that says what the rules are for, at most 500 characters.',
  author: 'Who made the pack: one line, at most 500 characters.',
  licence: 'One line: the licence under which the pack may be passed on.',
  files: `A list of at most ${MAX_PACK_FILES} entries, each with file and sha256, one per rule file of the pack.`,
  file: 'The path of a rule file (.yaml, .yml or .sql) within the pack, at most three levels deep, without "..".',
  sha256: 'The SHA-256 of the bytes of the file, 64 hexadecimal digits between quotes.',
};

/** A file is five parts of the document: the entry, two keys and two values. */
const YAML_LIMITS = { maxNodes: 6 * MAX_PACK_FILES + 100, maxDepth: 6 };
const MAX_PATH_LENGTH = 300;

const MANIFEST = z.strictObject({
  name: z
    .string('it is not a text')
    .max(64, 'it is longer than 64')
    .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'it is not a word of small letters, digits and hyphens'),
  version: z.string('it is not a text').regex(PACK_VERSION, 'it is not one to four dotted numbers'),
  description: line(500),
  author: line(500).optional(),
  licence: line(120).optional(),
  files: z
    .array(
      z.strictObject(
        {
          file: z.string('it is not a text').superRefine((path, context) => {
            const fault = faultOfPath(path);
            if (fault !== null) context.addIssue({ code: 'custom', message: fault });
          }),
          sha256: z
            .string('it is not a text')
            .regex(/^[0-9a-fA-F]{64}$/, 'it is not 64 hexadecimal digits')
            .transform((digits) => digits.toLowerCase()),
        },
        'it is not a file with its checksum',
      ),
      'it is not a list',
    )
    .min(1, 'it is empty')
    .max(MAX_PACK_FILES, `it has more than ${MAX_PACK_FILES} entries`)
    .superRefine((files, context) => {
      const seen = new Set<string>();
      for (const [at, { file }] of files.entries()) {
        if (seen.has(file)) context.addIssue({ code: 'custom', message: 'the file is listed twice', path: [at, 'file'] });
        seen.add(file);
      }
    }),
});

/** True for what a pack has to list: rules, cases and queries, not hidden files or the manifest. */
export function isPackFileName(name: string): boolean {
  return /\.(ya?ml|sql)$/.test(name) && !name.startsWith('.') && name !== MANIFEST_NAME;
}

function faultOfPath(path: string): string | null {
  const parts = path.split('/');
  if (path.length > MAX_PATH_LENGTH) return `it is longer than ${MAX_PATH_LENGTH}`;
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(path)) return 'it holds a line break, control or invisible character';
  if (path.startsWith('/')) return 'it is not relative to the pack';
  if (parts.includes('..')) return 'it leads out of the pack';
  if (parts.some((part) => part === '' || part.startsWith('.'))) return 'a part of it is empty or hidden';
  if (parts.length > MAX_PACK_LEVELS) return `it is deeper than ${MAX_PACK_LEVELS} levels`;
  return isPackFileName(parts.at(-1) ?? '') ? null : 'it names no rule file';
}

/** How a pack is named where a rule says what it belongs to. */
export function packId({ name, version }: Pick<PackManifest, 'name' | 'version'>): string {
  return `${name}@${version}`;
}

/** What is wrong with a value that somebody typed for a manifest, as a part of a sentence; null where nothing is. */
export function faultOfValue(key: 'name' | 'version' | 'description', value: string): string | null {
  const checked = MANIFEST.shape[key].safeParse(value);
  return checked.success ? null : (checked.error.issues[0]?.message ?? 'it is not right');
}

/** The manifest of the pack in a directory. Nothing is thrown for what it holds. */
export function readManifest(directory: string, trust: Trust): ManifestRead {
  const read = readRuleFile(join(directory, MANIFEST_NAME), { maxBytes: MAX_MANIFEST_BYTES, trust });
  return read.ok ? parseManifest(read.file) : { ok: false, problems: [read.problem] };
}

function parseManifest(file: Pick<RuleFile, 'path' | 'text'>): ManifestRead {
  const parsed = parseYaml(file.text, file.path, YAML_LIMITS);
  if (!parsed.ok) return parsed;
  const { yaml } = parsed;
  if (yaml.value === null) {
    const hint = '"sentinelcli rules pack" writes a manifest; or remove the file.';
    return { ok: false, problems: [{ file: file.path, line: 1, column: 1, message: 'The manifest is empty', hint }] };
  }
  const checked = MANIFEST.safeParse(yaml.value);
  if (!checked.success) return { ok: false, problems: problemsFromIssues(checked.error.issues, yaml, PACK_KEYS) };
  const manifest = checked.data;
  const lineOf = (path: string): number => yaml.placeOf(['files', manifest.files.findIndex((listed) => listed.file === path), 'file']).line;
  return { ok: true, manifest, lineOf };
}

/** The text of a manifest. JSON's texts are YAML's too, so that quoting is left to JSON. */
export function manifestText({ files, ...about }: PackManifest): string {
  const head = Object.entries(about).flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${JSON.stringify(value)}\n`]));
  const list = files.map(({ file, sha256 }) => `  - { file: ${JSON.stringify(file)}, sha256: ${JSON.stringify(sha256)} }\n`);
  return `${head.join('')}files:\n${list.join('')}`;
}
