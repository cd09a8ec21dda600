/**
 * A fault of a rule or case file for people: the place as editors and terminals know it, the rule, what is wrong, and
 * below it what to do.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import type { Terminal } from './terminal.ts';
import { indentText } from './wrap.ts';

export function problemText(problem: LoadProblem, { styles, width }: Pick<Terminal, 'styles' | 'width'>): string {
  const place = problem.line === null ? '' : `:${problem.line}${problem.column === null ? '' : `:${problem.column}`}`;
  const rule = problem.ruleId === undefined ? '' : ` rule ${displayHostText(problem.ruleId)}:`;
  // Not wrapped: a path that is broken in two cannot be clicked or copied.
  const head = `${styles.bold(displayHostText(`${problem.file}${place}`))}:${rule}\n`;
  return head + indentText(problem.hint === '' ? [problem.message] : [problem.message, problem.hint], width, '  ');
}
