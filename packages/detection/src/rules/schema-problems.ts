/**
 * What a schema has against a parsed file, as problems with the place and the nearest right key.
 */
import type { z } from 'zod';
import type { LoadProblem } from './load-problem.ts';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { YamlFile, YamlPath } from './parse-yaml.ts';

/** What is known about the keys of one level of a file: the key, and what belongs there. */
export type KeySummaries = Readonly<Record<string, string>>;

/** One problem per unknown key, missing key or wrong value. */
export function problemsFromIssues(issues: readonly z.core.$ZodIssue[], yaml: YamlFile, keys: KeySummaries): LoadProblem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(yaml, [...path, key], keys));
    const key = path.findLast((part) => typeof part === 'string');
    const hint = (key === undefined ? undefined : keys[key]) ?? `The keys are ${Object.keys(keys).join(', ')}.`;
    const place = valueAt(yaml.value, path) === undefined ? yaml.placeOf(path.slice(0, -1)) : yaml.placeOf(path);
    const message = messageOf(issue, yaml, path, key);
    return [{ file: yaml.file, ...place, ...(key === undefined ? {} : { key }), message, hint }];
  });
}

/** A problem for a key that does not exist, with the nearest one that does. */
function unknownKey(yaml: YamlFile, path: YamlPath, keys: KeySummaries): LoadProblem {
  const key = String(path.at(-1) ?? '');
  const nearest = nearestWord(key, Object.keys(keys));
  const hint = nearest === null ? `The keys are ${Object.keys(keys).join(', ')}.` : `Did you mean "${nearest}"?`;
  return { file: yaml.file, ...yaml.placeOfKey(path), key, message: `Unknown key "${key}"`, hint };
}

function messageOf(issue: z.core.$ZodIssue, yaml: YamlFile, path: YamlPath, key: string | undefined): string {
  if (path.length === 0) return 'The file does not hold what it should';
  if (valueAt(yaml.value, path) === undefined) return `The key "${String(path.at(-1))}" is missing`;
  return `${key === undefined ? 'A value' : `"${key}"`} is not right: ${issue.message}`;
}

function valueAt(value: unknown, path: YamlPath): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}
