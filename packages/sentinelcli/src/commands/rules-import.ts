/**
 * `sentinelcli rules import`: makes rule files of rules in another format. What cannot be converted exactly is refused by
 * name; the others are judged where the agent has its rules judged, and written.
 */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError, errnoOf, reasonOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import { convertSigmaRule, type SigmaConversion } from '@sentineld/detection/sigma/convert';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch } from '@sentineld/store/scratch';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { choice, flag, text } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { startNewFile } from '../output/new-file.ts';
import { problemText } from '../output/problem-text.ts';
import { checkTargets, readSourceFiles } from '../rule-source-files.ts';
import { startSandbox } from '../sandbox.ts';

const FORMATS = ['sigma'] as const;
const DEADLINE_MS = 10_000;
/** The agent runs as another user than who imports; rules are no secret. */
const FILE_MODE = 0o644;

type Accepted = Extract<SigmaConversion, { ok: true }> & { readonly source: string };
type Refused = {
  readonly source: string;
  readonly id: string | null;
  readonly title: string | null;
  readonly problems: readonly LoadProblem[];
};
type Outcome = { readonly accepted: readonly Accepted[]; readonly refused: readonly Refused[] };

export const rulesImport: Command = defineCommand({
  name: 'rules import',
  summary: 'Convert rules of another format into rule files',
  description:
    'Sigma rules for product linux, category process_creation become rules over process_events, one file ID.yaml each (docs/rules.md). What cannot be converted exactly is refused by name and never weakened; the others are written. The exit status is 1 where any was refused, or none was found.',
  positionals: [{ name: 'PATH', summary: 'files of rules, or directories of them at any depth', required: true, repeated: true }],
  options: {
    format: choice(FORMATS, 'The format of what is read; has to be given'),
    out: text('DIR', 'Where the rule files go; made where it is not there. Has to be given'),
    force: flag('Replace rule files that are there'),
    json: flag('As JSON; docs/cli.md has its form'),
  },
  examples: [
    { line: 'sentinelcli rules import --format sigma ./sigma/rules/linux --out ./sigma-rules', what: 'a checkout of SigmaHQ' },
    {
      line: 'sentinelcli rules import --format sigma one.yml --out ./sigma-rules --force && sentinelcli rules validate ./sigma-rules',
      what: 'one of them again, after it was changed',
    },
  ],
  run: async (context, paths, { format, out, force, json }) => {
    if (format === null)
      throw usage('rules import needs --format', `it is one of ${FORMATS.join(', ')}`, 'write for instance --format sigma');
    if (out === null)
      throw usage('rules import needs --out', 'each rule becomes a file in that directory', 'write for instance --out ./sigma-rules');
    const { accepted, refused } = await importAll(paths);
    writeAll(accepted, out, force);
    if (json) context.terminal.out(`${jsonText(resultJson({ accepted, refused }, out), 2)}\n`);
    else print(context, { accepted, refused }, out);
    return refused.length > 0 || accepted.length === 0 ? 1 : 0;
  },
});

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}

async function importAll(paths: readonly string[]): Promise<Outcome> {
  const { files, problems } = readSourceFiles(paths);
  const refused: Refused[] = problems.map((problem) => ({ source: problem.file, id: null, title: null, problems: [problem] }));
  const converted: Accepted[] = [];
  const sourceById = new Map<string, string>();
  for (const file of files) {
    const conversion = convertSigmaRule(file);
    if (!conversion.ok) {
      refused.push({ source: file.path, id: conversion.id, title: conversion.title, problems: conversion.problems });
      continue;
    }
    const rule: Accepted = { ...conversion, source: file.path };
    const earlier = sourceById.get(rule.id);
    if (earlier === undefined) converted.push(rule);
    else refused.push(refusalOf(rule, `The id is taken by ${earlier}`, 'Import one of the two.'));
    sourceById.set(rule.id, earlier ?? rule.source);
  }
  const judged = await judgeAll(converted);
  return { accepted: judged.accepted, refused: [...refused, ...judged.refused] };
}

function refusalOf({ source, id, title }: Accepted, message: string, hint: string): Refused {
  return { source, id, title, problems: [{ file: source, line: null, column: null, ruleId: id, message, hint }] };
}

async function judgeAll(rules: readonly Accepted[]): Promise<Outcome> {
  const accepted: Accepted[] = [];
  const refused: Refused[] = [];
  if (rules.length === 0) return { accepted, refused };
  const scratch = createScratch({ schema: EVENTS_SCHEMA, rows: {} });
  const client = startSandbox({ databases: [{ schema: 'main', path: scratch.path }], schema: EVENTS_SCHEMA, deadlineMs: DEADLINE_MS });
  try {
    for (const rule of rules) {
      const validation = await client.validate(rule.sql);
      if (validation.ok) accepted.push(rule);
      else refused.push(refusalOf(rule, `Its query would be refused (${validation.refusal.code}): ${validation.refusal.message}`, ''));
    }
  } finally {
    await client.close();
    scratch.close();
  }
  return { accepted, refused };
}

/** The id is a UUID, so that no name of a file can lead out of the directory. */
function fileOf({ id }: Accepted, out: string): string {
  return join(out, `${id}.yaml`);
}

function writeAll(rules: readonly Accepted[], out: string, force: boolean): void {
  if (rules.length === 0) return;
  makeDirectory(out);
  checkTargets(
    rules.map((rule) => fileOf(rule, out)),
    force,
  );
  for (const rule of rules) {
    const file = startNewFile(fileOf(rule, out), { force });
    try {
      file.write(rule.text);
      chmodSync(file.temporaryPath, FILE_MODE);
      file.complete();
    } finally {
      file.discard();
    }
  }
}

function makeDirectory(out: string): void {
  try {
    mkdirSync(out, { recursive: true });
    if (statSync(out).isDirectory()) return;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    if (errnoOf(cause) !== 'EEXIST')
      throw new SentinelError('state.unusable', {
        message: `--out ${out}: the directory cannot be made`,
        why: reasonOf(cause),
        hint: 'give a directory that this user may write',
        cause,
      });
  }
  throw usage(`--out ${out}: not taken`, 'it is a file, not a directory', 'give the directory that the rule files go to');
}

function print({ terminal }: CommandContext, { accepted, refused }: Outcome, out: string): void {
  for (const { title, problems } of refused) {
    for (const problem of problems)
      terminal.out(problemText({ ...problem, message: title === null ? problem.message : `${title}: ${problem.message}` }, terminal));
  }
  const nothing = accepted.length + refused.length === 0;
  const style = refused.length > 0 || accepted.length === 0 ? terminal.styles.red : terminal.styles.green;
  const summary = `${accepted.length} converted${accepted.length === 0 ? '' : ` into ${displayHostText(out)}`}, ${refused.length} refused`;
  terminal.out(`${style(nothing ? 'no rules found: their files end in .yml or .yaml' : summary)}\n`);
}

function resultJson({ accepted, refused }: Outcome, out: string): unknown {
  return {
    ok: refused.length === 0 && accepted.length > 0,
    converted: accepted.map((rule) => ({ id: rule.id, title: rule.title, source: rule.source, file: fileOf(rule, out) })),
    refused: refused.map(({ source, id, title, problems }) => ({ source, id, title, problems })),
  };
}
