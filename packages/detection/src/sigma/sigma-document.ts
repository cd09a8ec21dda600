/**
 * The file of a Sigma rule: its keys, held against what the specification says of them. What is detected stays as it
 * is in the file; compile.ts reads it.
 */
import { z } from 'zod';
import type { LoadProblem } from '../rules/load-problem.ts';
import { parseYaml, type YamlFile } from '../rules/parse-yaml.ts';
import { problemsFromIssues, type KeySummaries } from '../rules/schema-problems.ts';

export type SigmaFile = { readonly path: string; readonly text: string };

export type SigmaDocument = {
  readonly id: string;
  readonly title: string;
  readonly status: string | null;
  readonly description: string;
  readonly license: string | null;
  readonly references: readonly string[];
  readonly author: string;
  /** YYYY-MM-DD of the newest change, where it is given. */
  readonly date: string | null;
  readonly tags: readonly string[];
  readonly falsePositives: readonly string[];
  readonly level: SigmaLevel;
  readonly logsource: Readonly<Record<string, unknown>>;
  readonly detection: Readonly<Record<string, unknown>>;
  readonly yaml: YamlFile;
};

/** What could be read of a file that is refused, to name it. */
export type Named = { readonly id: string | null; readonly title: string | null };

export type ReadSigma =
  | { readonly ok: true; readonly document: SigmaDocument }
  | ({ readonly ok: false; readonly problems: readonly LoadProblem[] } & Named);

export const SIGMA_LEVELS = ['informational', 'low', 'medium', 'high', 'critical'] as const;
export type SigmaLevel = (typeof SIGMA_LEVELS)[number];

/** One rule of the collection has a list of a thousand values. */
const YAML_LIMITS = { maxNodes: 10_000, maxDepth: 16 };

const KEYS: KeySummaries = {
  title: 'A text of one line.',
  id: 'A UUID; the converted rule keeps it.',
  status: 'stable, test, experimental, deprecated or unsupported.',
  description: 'A text.',
  license: 'The name of a licence.',
  references: 'A list of texts.',
  author: 'A text.',
  date: 'A day, as 2026-01-31.',
  modified: 'A day, as 2026-01-31.',
  tags: 'A list of words such as attack.t1059.',
  logsource: 'product and category, as "product: linux" and "category: process_creation".',
  detection: 'Named selections, and the condition that joins them.',
  falsepositives: 'A list of texts.',
  level: 'informational, low, medium, high or critical.',
};

const text = (): z.ZodString => z.string('it is not a text');
const texts = (): z.ZodType<readonly string[] | null | undefined> => z.array(text(), 'it is not a list').nullish();
const mapping = (): z.ZodType<Readonly<Record<string, unknown>>> => z.record(z.string(), z.unknown(), 'it is not a mapping');

const DOCUMENT = z.looseObject({
  title: text().min(1, 'it is empty'),
  id: text().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'it is not a UUID'),
  status: z.enum(['stable', 'test', 'experimental', 'deprecated', 'unsupported'], 'there is no such status').nullish(),
  description: text().nullish(),
  license: text().nullish(),
  references: texts(),
  author: text().nullish(),
  date: text().nullish(),
  modified: text().nullish(),
  tags: texts(),
  logsource: mapping(),
  detection: mapping(),
  falsepositives: texts(),
  level: z.enum(SIGMA_LEVELS, 'there is no such level').nullish(),
});

/** Reads one file. Total: whatever the text is, the answer is a document or problems. */
export function readSigmaDocument(file: SigmaFile): ReadSigma {
  const parsed = parseYaml(file.text, file.path, YAML_LIMITS);
  if (!parsed.ok) return { ok: false, id: null, title: null, problems: parsed.problems };
  const { yaml } = parsed;
  const named = namedIn(yaml.value);
  const refused = (problems: readonly LoadProblem[]): ReadSigma => ({ ok: false, ...named, problems });
  const other = otherDocument(yaml);
  if (other !== null) return refused([other]);
  const checked = DOCUMENT.safeParse(yaml.value);
  if (!checked.success) return refused(problemsFromIssues(checked.error.issues, yaml, KEYS));
  const { data } = checked;
  return {
    ok: true,
    document: {
      id: data.id.toLowerCase(),
      title: data.title,
      status: data.status ?? null,
      description: data.description ?? '',
      license: data.license ?? null,
      references: data.references ?? [],
      author: data.author ?? '',
      date: data.modified ?? data.date ?? null,
      tags: data.tags ?? [],
      falsePositives: data.falsepositives ?? [],
      level: data.level ?? 'medium',
      logsource: data.logsource,
      detection: data.detection,
      yaml,
    },
  };
}

const OTHER_KINDS: Readonly<Record<string, string>> = {
  correlation: 'A correlation of several events cannot be converted: a rule looks at one event',
  filter: 'A filter for other rules is no rule by itself',
  action: 'A collection of rules (the key "action") cannot be converted',
};

/** Files of the same ending that hold something else. */
function otherDocument(yaml: YamlFile): LoadProblem | null {
  const { value } = yaml;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      file: yaml.file,
      line: 1,
      column: 1,
      message: 'The file holds no Sigma rule',
      hint: 'A rule has a title, a logsource and a detection.',
    };
  }
  const key = Object.keys(OTHER_KINDS).find((candidate) => Object.hasOwn(value, candidate));
  if (key === undefined) return null;
  const hint = 'Write the rule out as one of its own.';
  return { file: yaml.file, ...yaml.placeOfKey([key]), key, message: OTHER_KINDS[key] ?? '', hint };
}

function namedIn(value: unknown): Named {
  const textAt = (key: string): string | null => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return null;
    const found: unknown = Reflect.get(value, key);
    return typeof found === 'string' ? found.slice(0, 200) : null;
  };
  return { id: textAt('id'), title: textAt('title') };
}
