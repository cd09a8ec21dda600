/**
 * What a run prints: a line per failure and a progress line on a terminal, or a JSON line per case; and at the end one
 * JSON line per suite, for whoever counts.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { CaseResult, Summary } from './suite.ts';

type Output = { readonly write: (text: string) => unknown; readonly isTTY?: boolean };

export type Report = {
  readonly onCase: (suite: string, result: CaseResult) => void;
  /** The suite is over: what it printed so far is complete. */
  readonly endSuite: (summary: Summary) => void;
  /** The last lines, in the order of the suites. */
  readonly end: () => void;
};

export type ReportOptions = { readonly json: boolean; readonly stdout: Output; readonly stderr: Output };

export function createReport({ json, stdout, stderr }: ReportOptions): Report {
  const summaries: Summary[] = [];
  const showsProgress = stderr.isTTY === true && !json;
  const progress = (text: string): void => void (showsProgress && stderr.write(`\r\u001b[K${text}`));
  let cases = 0;
  return {
    onCase: (suite, result) => {
      cases += 1;
      const { id, problem, detail } = result;
      if (json) return void stdout.write(`${JSON.stringify({ case: id, of: suite, ok: problem === undefined, problem, detail })}\n`);
      if (problem !== undefined) {
        progress('');
        stdout.write(`${suite}: ${id}: ${displayHostText(problem)}\n`);
      }
      return progress(`${suite}: ${cases} cases, ${id}`);
    },
    endSuite: (summary) => {
      progress('');
      cases = 0;
      summaries.push(summary);
      if (json) return;
      const { suite, passed, total, absent } = summary;
      stdout.write(absent === true ? `${suite}: not run\n` : `${suite}: ${passed} of ${total} passed\n`);
    },
    end: () => {
      for (const summary of summaries) stdout.write(`${JSON.stringify(summary)}\n`);
    },
  };
}
