/**
 * The detection of a Sigma rule as one condition over a row. What cannot be converted exactly becomes a problem with its
 * place; nothing is left out or taken more loosely.
 */
import type { LoadProblem } from '../rules/load-problem.ts';
import type { YamlPath } from '../rules/parse-yaml.ts';
import { parseCondition, type Condition } from './condition.ts';
import { MAX_RULE_FILE_BYTES } from '../rules/read-rule-file.ts';
import { allOf, anyOf, comparison, not, sizeOf, type Expression } from './expression.ts';
import { compileField, type FieldFault } from './field.ts';
import type { SigmaDocument } from './sigma-document.ts';
import type { SigmaTarget } from './target.ts';

export type Compiled =
  | { readonly ok: true; readonly condition: Expression }
  | { readonly ok: false; readonly problems: readonly LoadProblem[] };

type Compiler = {
  readonly document: SigmaDocument;
  readonly target: SigmaTarget;
  readonly problems: LoadProblem[];
  /** Detections by name; a condition may name one more than once. */
  readonly known: Map<string, { readonly expression: Expression; readonly size: number }>;
  /** Of everything that was named so far. */
  size: number;
};

/** Stands where something was refused: the result is not used then. */
const REFUSED: Expression = comparison('0');
const NOT_SELECTIONS: readonly string[] = ['condition', 'timeframe'];

/** Converts the detection for the columns of the target. */
export function compileDetection(document: SigmaDocument, target: SigmaTarget): Compiled {
  const compiler: Compiler = { document, target, problems: [], known: new Map(), size: 0 };
  const { detection } = document;
  if (Object.hasOwn(detection, 'timeframe')) {
    const hint = 'A rule looks at one event at a time: leave the timeframe out, where the condition does not count.';
    refuse(compiler, ['detection', 'timeframe'], 'A timeframe cannot be converted', hint);
  }
  const conditions = conditionsOf(compiler);
  const names = Object.keys(detection).filter((name) => !NOT_SELECTIONS.includes(name));
  const parts = conditions.map(({ text, path }) => {
    const parsed = parseCondition(text, names);
    if (parsed.ok) return compileCondition(compiler, parsed.condition);
    return refuse(compiler, path, parsed.message, `The detections are ${names.join(', ')}.`);
  });
  const { problems } = compiler;
  return problems.length > 0 || parts.length === 0 ? { ok: false, problems } : { ok: true, condition: anyOf(parts) };
}

/** One condition, or a list of which one has to hold. */
function conditionsOf(compiler: Compiler): readonly { readonly text: string; readonly path: YamlPath }[] {
  const { condition } = compiler.document.detection;
  const path = ['detection', 'condition'];
  const list: readonly unknown[] = Array.isArray(condition) ? condition : [condition];
  const found = list.flatMap((text, at) =>
    typeof text === 'string' ? [{ text, path: Array.isArray(condition) ? [...path, at] : path }] : [],
  );
  if (found.length === list.length && list.length > 0) return found;
  refuse(
    compiler,
    path,
    condition === undefined ? 'The condition is missing' : 'The condition is not a text',
    'Write for instance "condition: selection".',
  );
  return [];
}

function compileCondition(compiler: Compiler, condition: Condition): Expression {
  switch (condition.kind) {
    case 'name':
      return compileSelection(compiler, condition.name);
    case 'some':
      return (condition.quantifier === 'all' ? allOf : anyOf)(condition.names.map((name) => compileSelection(compiler, name)));
    case 'and':
      return allOf(condition.of.map((part) => compileCondition(compiler, part)));
    case 'or':
      return anyOf(condition.of.map((part) => compileCondition(compiler, part)));
    case 'not':
      return not(compileCondition(compiler, condition.of));
  }
}

function compileSelection(compiler: Compiler, name: string): Expression {
  const expression = compiler.known.get(name)?.expression ?? compileValue(compiler, ['detection', name], compiler.document.detection[name]);
  const size = compiler.known.get(name)?.size ?? sizeOf(expression);
  compiler.known.set(name, { expression, size });
  const before = compiler.size;
  compiler.size += size;
  // Named often enough, a few large lists would fill the memory long before anything is written.
  if (compiler.size <= MAX_RULE_FILE_BYTES) return expression;
  if (before > MAX_RULE_FILE_BYTES) return REFUSED;
  const message = `The condition comes to more than the ${MAX_RULE_FILE_BYTES} bytes that a rule file may have`;
  return refuse(compiler, ['detection', 'condition'], message, 'Split the lists of the rule among several rules.');
}

/** A mapping is met where each of its fields is, a list where one of its entries is. */
function compileValue(compiler: Compiler, path: YamlPath, value: unknown): Expression {
  if (Array.isArray(value)) {
    if (value.length === 0) return refuse(compiler, path, 'The detection is an empty list', 'Give a field and what it has to be.');
    return anyOf(value.map((entry: unknown, at) => compileValue(compiler, [...path, at], entry)));
  }
  if (typeof value !== 'object' || value === null) {
    const hint = 'Name the field, for instance "CommandLine|contains".';
    return refuse(compiler, path, 'A keyword without a field cannot be converted: a process has no text as a whole', hint);
  }
  const fields: readonly (readonly [string, unknown])[] = Object.entries(value);
  if (fields.length === 0) return refuse(compiler, path, 'The detection is an empty mapping', 'Give a field and what it has to be.');
  return allOf(fields.map(([key, values]) => compileOneField(compiler, [...path, key], key, values)));
}

function compileOneField(compiler: Compiler, path: YamlPath, key: string, values: unknown): Expression {
  const compiled = compileField(key, values, compiler.target);
  if (compiled.ok) return compiled.condition;
  for (const fault of compiled.faults) refuseField(compiler, path, key, fault);
  return REFUSED;
}

function refuseField(compiler: Compiler, path: YamlPath, key: string, { at, message, hint }: FieldFault): void {
  refuse(compiler, at === null ? path : [...path, at], `${key}: ${message}`, hint);
}

function refuse({ document, problems }: Compiler, path: YamlPath, message: string, hint: string): Expression {
  const { yaml, id } = document;
  const place = typeof path.at(-1) === 'number' ? yaml.placeOf(path) : yaml.placeOfKey(path);
  const key = path.findLast((part) => typeof part === 'string');
  problems.push({ file: yaml.file, ...place, ...(key === undefined ? {} : { key }), ruleId: id, message, hint });
  return REFUSED;
}
