/**
 * What is wrong with a rule file, as data: a broken file never keeps the others from being loaded.
 */
import { messageOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';

/** A place in a file; both count from 1. */
export type FilePlace = { readonly line: number; readonly column: number };

export type LoadProblem = {
  /** The rule file, case file or directory; `overrides` where the configuration is meant. */
  readonly file: string;
  /** Null where the file as a whole is meant. */
  readonly line: number | null;
  readonly column: number | null;
  readonly key?: string;
  readonly ruleId?: string;
  /** What is wrong, without the place. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
};

/** A problem with a file or directory as a whole. */
export function fileProblem(file: string, message: string, hint: string): LoadProblem {
  return { file, line: null, column: null, message, hint };
}

/** A problem with what the system did not let be read. */
export function unreadableFile(path: string, error: unknown): LoadProblem {
  return fileProblem(path, `It cannot be read: ${messageOf(error)}`, 'Check that it exists, and that this user may read it.');
}

/** One line for a person: `file:line:column: message. hint` */
export function formatLoadProblem(problem: LoadProblem): string {
  const place = problem.line === null ? '' : `:${problem.line}${problem.column === null ? '' : `:${problem.column}`}`;
  return displayHostText(`${problem.file}${place}: ${problem.message}. ${problem.hint}`);
}
