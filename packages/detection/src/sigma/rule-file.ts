/**
 * Writes the rule file that a Sigma rule becomes, with what people read of it: who wrote it, under which licence, where
 * it comes from.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { Severity } from '@sentineld/model/rule';
import { Document, Scalar } from 'yaml';
import type { SigmaDocument } from './sigma-document.ts';

const COMMENT = ' Converted from the Sigma rule of this id by "sentinelcli rules import".';
const TECHNIQUE = /^attack\.(t\d{4}(?:\.\d{3})?)$/;
/** A tactic, not a technique, group, software or mitigation. */
const TACTIC = /^attack\.([a-z]+(?:[_-][a-z]+)*)$/;
const DEFAULT_CATEGORY = 'process';

/** The text of the file, with the query as a `|` block. */
export function writeRuleFile(document: SigmaDocument, sql: string, dedup: readonly string[]): string {
  const tags = document.tags.map((tag) => tag.toLowerCase());
  const falsePositives = paragraph(document.falsePositives.join('\n'));
  const contents = {
    id: document.id,
    name: displayHostText(document.title.trim()),
    description: paragraph(document.description) || displayHostText(document.title.trim()),
    severity: severityOf(document),
    category: categoryOf(tags),
    version: versionOf(document),
    ...(document.author.trim() === '' ? {} : { author: displayHostText(document.author.trim().replace(/\s+/g, ' ')) }),
    ...(document.license === null ? {} : { license: displayHostText(document.license.trim()) }),
    tags: tagsOf(document, tags),
    attack: unique(tags.flatMap((tag) => TECHNIQUE.exec(tag)?.[1]?.toUpperCase() ?? [])),
    dedup,
    ...(document.references.length === 0 ? {} : { references: document.references.map((line) => displayHostText(line.trim())) }),
    ...(falsePositives === '' ? {} : { false_positives: falsePositives }),
  };
  const yaml = new Document(contents);
  yaml.commentBefore = COMMENT;
  const query = new Scalar(`${sql}\n`);
  query.type = 'BLOCK_LITERAL';
  yaml.set('query', query);
  return yaml.toString({ lineWidth: 0 });
}

function severityOf({ level }: SigmaDocument): Severity {
  return level === 'informational' ? 'low' : level;
}

function categoryOf(tags: readonly string[]): string {
  const tactic = tags.flatMap((tag) => TACTIC.exec(tag)?.[1] ?? []).at(0);
  return tactic?.replaceAll('_', '-') ?? DEFAULT_CATEGORY;
}

/** The day of the newest change as a number, which grows as a version has to. */
function versionOf({ date }: SigmaDocument): number {
  const digits =
    /^(\d{4})[-/](\d{2})[-/](\d{2})$/
      .exec(date ?? '')
      ?.slice(1)
      .join('') ?? '1';
  return Math.max(1, Number(digits));
}

function tagsOf({ status, level }: SigmaDocument, tags: readonly string[]): readonly string[] {
  return unique([
    'sigma',
    ...(status === null ? [] : [`status.${status}`]),
    ...(level === 'informational' ? ['informational'] : []),
    ...tags.filter((tag) => !TECHNIQUE.test(tag)),
  ]);
}

function unique(words: readonly string[]): readonly string[] {
  return [...new Set(words)];
}

/** Lines as they are, without what a rule file may not hold. */
function paragraph(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => displayHostText(line.replaceAll('\t', '  ').trimEnd()))
    .join('\n')
    .trim();
}
