/**
 * A Sigma rule as a rule file: exactly, or not at all.
 */
import { createHash } from 'node:crypto';
import type { LoadProblem } from '../rules/load-problem.ts';
import { MAX_RULE_FILE_BYTES } from '../rules/read-rule-file.ts';
import { parseRule } from '../rules/rule-document.ts';
import { compileDetection } from './compile.ts';
import { renderLines } from './expression.ts';
import { writeRuleFile } from './rule-file.ts';
import { readSigmaDocument, type Named, type SigmaDocument, type SigmaFile } from './sigma-document.ts';
import { LINUX_PROCESS_CREATION, type SigmaTarget } from './target.ts';

export type SigmaConversion =
  | {
      readonly ok: true;
      /** Of the Sigma rule and of what it became. */
      readonly id: string;
      readonly title: string;
      readonly sql: string;
      /** The rule file; by convention it is called `<id>.yaml`. */
      readonly text: string;
    }
  | ({ readonly ok: false; readonly problems: readonly LoadProblem[] } & Named);

/** Converts one file. Never throws for what is in it; whether the query is taken is the validator's to say. */
export function convertSigmaRule(file: SigmaFile, target: SigmaTarget = LINUX_PROCESS_CREATION): SigmaConversion {
  const read = readSigmaDocument(file);
  if (!read.ok) return read;
  const { document } = read;
  const refused = (problems: readonly LoadProblem[]): SigmaConversion => ({ ok: false, id: document.id, title: document.title, problems });
  const source = otherSource(document, target);
  if (source !== null) return refused([source]);
  const compiled = compileDetection(document, target);
  if (!compiled.ok) return refused(compiled.problems);
  const sql = `${target.select}\n  AND (\n${renderLines(compiled.condition)
    .map((line) => `    ${line}`)
    .join('\n')}\n  )`;
  const text = writeRuleFile(document, sql, target.dedup);
  const problems = checkWritten(document, text);
  return problems.length > 0 ? refused(problems) : { ok: true, id: document.id, title: document.title, sql, text };
}

/** Rules of other products and categories look at what is not collected here. */
function otherSource({ id, logsource, yaml }: SigmaDocument, { product, category }: SigmaTarget): LoadProblem | null {
  const { product: itsProduct, category: itsCategory, service } = logsource;
  // Without a product a rule is for all of them.
  if (itsCategory === category && (itsProduct === product || itsProduct === undefined) && service === undefined) return null;
  const words = [
    `product ${shown(itsProduct)}`,
    `category ${shown(itsCategory)}`,
    ...(service === undefined ? [] : [`service ${shown(service)}`]),
  ];
  return {
    file: yaml.file,
    ...yaml.placeOfKey(['logsource']),
    key: 'logsource',
    ruleId: id,
    message: `The rule looks at ${words.join(', ')}`,
    hint: `Rules for product ${product}, category ${category} are converted.`,
  };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `"${value.slice(0, 64)}"` : value === undefined ? 'of any kind' : 'that is no text';
}

/** What is written has to be what the agent loads: the limits of a rule file hold for it too. */
function checkWritten({ id, yaml }: SigmaDocument, text: string): readonly LoadProblem[] {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_RULE_FILE_BYTES) {
    const message = `As a rule file it would have ${bytes} bytes, at most ${MAX_RULE_FILE_BYTES} are read`;
    return [{ file: yaml.file, line: null, column: null, ruleId: id, message, hint: 'Split its lists among several rules.' }];
  }
  const checksum = createHash('sha256').update(text).digest('hex');
  const parsed = parseRule({ path: yaml.file, text, checksum }, 'file');
  if (parsed.ok) return [];
  return parsed.problems.map(({ message, hint, key }) => ({
    file: yaml.file,
    line: null,
    column: null,
    ...(key === undefined ? {} : { key }),
    ruleId: id,
    message: `As a rule file it would be refused: ${message}`,
    hint,
  }));
}
