/**
 * `sentinelcli rules validate`: whether rule files can be loaded and their SQL would be run, found out where the agent
 * finds it out: in the confined executor, over an empty database of the frozen schema.
 */
import { judgeRule, placeOfRefusal, refusalProblem, type JudgedRule } from '@sentineld/detection/rules/judge-rule';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch } from '@sentineld/store/scratch';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { problemText } from '../output/problem-text.ts';
import { namedRules } from '../rule-files.ts';
import { startSandbox } from '../sandbox.ts';

const DEADLINE_MS = 10_000;

export type Judged = JudgedRule & { readonly rule: LoadedRule };

export const rulesValidate: Command = defineCommand({
  name: 'rules validate',
  summary: 'Check rule files and whether their SQL would be run',
  description:
    'Without arguments: the built-in rules. A directory is read as the agent reads it. Each fault is shown as file:line:column with the rule, the reason and what to do. The exit status is 1 where anything is refused.',
  positionals: [{ name: 'PATH', summary: 'rule files, or directories of them', required: false, repeated: true }],
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli rules validate', what: 'the rules that are shipped' },
    { line: 'sentinelcli rules validate ./my-rules && cp my-rules/*.yaml /etc/sentineld/rules/', what: 'check before installing' },
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

/** Whether the executor would run each of the rules. */
export async function judgeAll(rules: readonly LoadedRule[]): Promise<readonly Judged[]> {
  if (rules.length === 0) return [];
  const scratch = createScratch({ schema: EVENTS_SCHEMA, rows: {} });
  const client = startSandbox({ databases: [{ schema: 'main', path: scratch.path }], schema: EVENTS_SCHEMA, deadlineMs: DEADLINE_MS });
  try {
    return await Promise.all(rules.map(async (rule) => ({ rule, ...(await judgeRule(rule, client)) })));
  } finally {
    await client.close();
    scratch.close();
  }
}

function print({ terminal }: CommandContext, judged: readonly Judged[], problems: readonly LoadProblem[]): void {
  for (const problem of problems) terminal.out(problemText(problem, terminal));
  for (const { rule, refusal } of judged) if (refusal !== null) terminal.out(problemText(refusalProblem(rule, refusal), terminal));
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
  const rules = judged.map(({ rule, refusal, columns }) => {
    if (refusal === null) return { id: rule.id, file: rule.sourcePath, ok: true, columns, refusal };
    const { file, line, column } = placeOfRefusal(rule, refusal);
    return { id: rule.id, file, ok: false, columns, refusal: { code: refusal.code, message: refusal.message, line, column } };
  });
  const refused = judged.filter(({ refusal }) => refusal !== null).length;
  return { ok: refused + problems.length === 0 && judged.length > 0, accepted: judged.length - refused, refused, rules, problems };
}
