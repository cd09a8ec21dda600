/**
 * `sentinelcli rules test`: runs the cases that lie beside rules (`<id>.case.yaml`): rows in, matches out.
 */
import { existsSync } from 'node:fs';
import type { ResultRow } from '@sentineld/model/rule';
import { runCases, type CaseResult } from '@sentineld/detection/rules/case';
import { caseFileOf, readCaseFile } from '@sentineld/detection/rules/case-file';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import { startCaseRunner, type CaseRunner } from '../case-runner.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { builtinRulesDirectory } from '../installation.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { problemText } from '../output/problem-text.ts';
import type { Terminal } from '../output/terminal.ts';
import { indentText } from '../output/wrap.ts';
import { namedRules } from '../rule-files.ts';

type Tested = {
  readonly rule: LoadedRule;
  readonly caseFile: string;
  readonly results: readonly CaseResult[];
  readonly problems: readonly LoadProblem[];
  /** True where the rule has no case file. */
  readonly untested: boolean;
};

export const rulesTest: Command = defineCommand({
  name: 'rules test',
  summary: 'Run the cases of rules: rows in, matches out',
  description:
    'Beside a rule some-rule.yaml lies some-rule.case.yaml with named cases (docs/rules.md). Without arguments: the built-in rules. The exit status is 1 where a case fails, a file has faults, or there is nothing to run.',
  positionals: [{ name: 'PATH', summary: 'rule files, or directories of them', required: false, repeated: true }],
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli rules test ./my-rules', what: 'every rule of a directory' },
    { line: 'sentinelcli rules test packages/detection/rules', what: 'a checkout' },
  ],
  run: async (context, paths, { json }) => {
    const { rules, problems } = namedRules(paths, builtinRulesDirectory());
    const runner = startCaseRunner();
    const tested: Tested[] = [];
    try {
      for (const rule of rules) tested.push(await testRule(rule, runner));
    } finally {
      await runner.close();
    }
    const faults = [...problems, ...tested.flatMap((one) => one.problems)];
    const results = tested.flatMap((one) => one.results);
    const failed = results.filter(({ passed }) => !passed).length;
    if (json) context.terminal.out(`${jsonText(resultJson(tested, faults), 2)}\n`);
    else print(context, tested, faults);
    return failed + faults.length > 0 || results.length === 0 ? 1 : 0;
  },
});

async function testRule(rule: LoadedRule, runner: CaseRunner): Promise<Tested> {
  const caseFile = caseFileOf(rule.sourcePath);
  if (!existsSync(caseFile)) return { rule, caseFile, results: [], problems: [], untested: true };
  const read = readCaseFile(caseFile, { trust: rule.source === 'builtin' ? 'installed' : 'configured' });
  if (!read.ok) return { rule, caseFile, results: [], problems: read.problems, untested: false };
  return { rule, caseFile, results: await runCases(rule, read.cases, runner.execute), problems: [], untested: false };
}

function print({ terminal }: CommandContext, tested: readonly Tested[], faults: readonly LoadProblem[]): void {
  const { styles, width, out } = terminal;
  for (const fault of faults) out(problemText(fault, terminal));
  for (const { rule, results, untested } of tested) {
    if (untested) out(indentText(`${rule.id}: no cases`, width, '  ', '- '));
    for (const result of results)
      out(
        `${result.passed ? styles.green('ok  ') : styles.red('FAIL')} ${indentText(`${rule.id}: ${result.name}`, width - 5, '     ', '')}${detailsOf(result, terminal)}`,
      );
  }
  const results = tested.flatMap((one) => one.results);
  const failed = results.filter(({ passed }) => !passed).length;
  const style = failed + faults.length > 0 || results.length === 0 ? styles.red : styles.green;
  out(`${style(results.length === 0 ? 'no case was run' : `${results.length - failed} passed, ${failed} failed`)}\n`);
}

function detailsOf({ passed, missing, unexpected, error }: CaseResult, { width }: Terminal): string {
  if (passed) return '';
  const rows = (label: string, list: readonly ResultRow[]): string[] => list.map((row) => `${label} ${rowText(row)}`);
  return [...(error === null ? [] : [error]), ...rows('missing:', missing), ...rows('unexpected:', unexpected)]
    .map((line) => indentText(line, width, '       ', '     '))
    .join('');
}

function rowText(row: ResultRow): string {
  return Object.entries(row)
    .flatMap(([name, value]) => (value === null ? [] : [`${name}=${jsonText(value)}`]))
    .join(', ');
}

function resultJson(tested: readonly Tested[], problems: readonly LoadProblem[]): unknown {
  const results = tested.flatMap((one) => one.results);
  const failed = results.filter(({ passed }) => !passed).length;
  const rules = tested.map(({ rule, caseFile, results, untested }) => ({
    id: rule.id,
    file: rule.sourcePath,
    case_file: untested ? null : caseFile,
    cases: results,
  }));
  return { ok: failed + problems.length === 0 && results.length > 0, passed: results.length - failed, failed, rules, problems };
}
