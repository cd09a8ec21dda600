/**
 * `sentinelcli rules validate`: whether rule files can be loaded and their SQL would be run, found out where the agent
 * finds it out: in the confined executor, over an empty database of the frozen schema.
 */
import type { Refusal } from '@sentineld/model/rule';
import { checkDedupKeys } from '@sentineld/detection/rules/check-dedup-keys';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import { placeInFile, sqlFileOf, type LoadedRule } from '@sentineld/detection/rules/rule-document';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch } from '@sentineld/store/scratch';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { problemText } from '../output/problem-text.ts';
import { namedRules } from '../rule-files.ts';
import { startSandbox } from '../sandbox.ts';

const DEADLINE_MS = 10_000;

type Judged = { readonly rule: LoadedRule; readonly refusal: Refusal | null; readonly columns: readonly string[] };

export const rulesValidate: Command = defineCommand({
  name: 'rules validate',
  summary: 'Check rule files and whether their SQL would be run',
  description:
    'Without arguments: the built-in rules. A directory is read as the agent reads it. Each fault is shown as file:line:column with the rule, the reason and what to do. The exit status is 1 where anything is refused.',
  positionals: [{ name: 'PATH', summary: 'rule files, or directories of them', required: false, repeated: true }],
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli rules validate', what: 'the rules that are shipped' },
    { line: 'sentinelcli rules validate ./my-rules && sudo cp my-rules/*.yaml /etc/sentineld/rules/', what: 'check before installing' },
  ],
  run: async (context, paths, { json }) => {
    const { rules, problems } = namedRules(paths);
    const judged = await judgeAll(rules);
    const refused = judged.filter(({ refusal }) => refusal !== null).length;
    if (json) context.terminal.out(`${jsonText(resultJson(judged, problems), 2)}\n`);
    else print(context, judged, problems);
    return refused + problems.length > 0 || rules.length === 0 ? 1 : 0;
  },
});

async function judgeAll(rules: readonly LoadedRule[]): Promise<readonly Judged[]> {
  if (rules.length === 0) return [];
  const scratch = createScratch({ schema: EVENTS_SCHEMA, rows: {} });
  const client = startSandbox({ databases: [{ schema: 'main', path: scratch.path }], schema: EVENTS_SCHEMA, deadlineMs: DEADLINE_MS });
  try {
    return await Promise.all(rules.map((rule) => judge(rule, client)));
  } finally {
    await client.close();
    scratch.close();
  }
}

async function judge(rule: LoadedRule, client: ExecutorClient): Promise<Judged> {
  const validation = await client.validate(rule.sql);
  if (!validation.ok) return { rule, refusal: validation.refusal, columns: [] };
  const { columns } = validation;
  const problem = checkDedupKeys(rule, columns);
  return {
    rule,
    columns,
    refusal: problem === null ? null : { code: 'dedup', message: `${problem.message}. ${problem.hint}`, position: null },
  };
}

/** Where in its file a rule is refused. */
function placeOf({ rule, refusal }: Judged): { readonly line: number; readonly column: number } {
  return refusal?.code === 'dedup' ? rule.places.dedup : placeInFile(rule, refusal?.position ?? null);
}

/** The columns of dedup stand in the rule's file, its SQL perhaps in one of its own. */
function fileOf({ rule, refusal }: Judged): string {
  return refusal?.code === 'dedup' ? rule.sourcePath : sqlFileOf(rule);
}

function print({ terminal }: CommandContext, judged: readonly Judged[], problems: readonly LoadProblem[]): void {
  for (const problem of problems) terminal.out(problemText(problem, terminal));
  for (const one of judged) {
    const { rule, refusal } = one;
    if (refusal === null) continue;
    terminal.out(
      problemText(
        { file: fileOf(one), ...placeOf(one), ruleId: rule.id, message: `refused (${refusal.code}): ${refusal.message}`, hint: '' },
        terminal,
      ),
    );
  }
  const refused = judged.filter(({ refusal }) => refusal !== null).length;
  const parts = [
    `${judged.length - refused} accepted`,
    `${refused} refused`,
    ...(problems.length === 0 ? [] : [`${problems.length} ${problems.length === 1 ? 'fault' : 'faults'} in files`]),
  ];
  const style = refused + problems.length > 0 || judged.length === 0 ? terminal.styles.red : terminal.styles.green;
  terminal.out(
    `${style(judged.length === 0 && problems.length === 0 ? 'no rules found: their files are called ID.yaml' : parts.join(', '))}\n`,
  );
}

function resultJson(judged: readonly Judged[], problems: readonly LoadProblem[]): unknown {
  const rules = judged.map((one) => {
    const { rule, refusal, columns } = one;
    const shared = { id: rule.id, file: refusal === null ? rule.sourcePath : fileOf(one), ok: refusal === null };
    return refusal === null
      ? { ...shared, columns, refusal: null }
      : { ...shared, columns, refusal: { code: refusal.code, message: refusal.message, ...placeOf(one) } };
  });
  const refused = judged.filter(({ refusal }) => refusal !== null).length;
  return { ok: refused + problems.length === 0 && judged.length > 0, accepted: judged.length - refused, refused, rules, problems };
}
