/**
 * Reads one rule or case file, if nobody but its owner's side could have written it. The path is not trusted: what
 * is checked is what was opened.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs';
import { errnoOf, messageOf } from '@sentineld/model/error';
import type { LoadProblem } from './load-problem.ts';

/**
 * `configured`: nothing that every user may write is taken, whoever owns it. `installed`: the program's own files,
 * which need no better protection than the program beside them; only what a third user owns is refused then.
 */
export type Trust = 'configured' | 'installed';

export type RuleFile = {
  readonly path: string;
  readonly text: string;
  /** SHA-256 of the bytes, hex. */
  readonly checksum: string;
};

export type RuleFileRead = { readonly ok: true; readonly file: RuleFile } | { readonly ok: false; readonly problem: LoadProblem };

export type ReadOptions = { readonly maxBytes: number; readonly trust: Trust };

export const MAX_RULE_FILE_BYTES: number = 64 * 1024;
export const MAX_CASE_FILE_BYTES: number = 256 * 1024;

/** Reads a regular file of at most `maxBytes`, valid UTF-8. Symlinks at the path itself are not followed. */
export function readRuleFile(path: string, options: ReadOptions): RuleFileRead {
  const refused = (message: string, hint: string): RuleFileRead => ({
    ok: false,
    problem: { file: path, line: null, column: null, message, hint },
  });
  let descriptor: number;
  try {
    // O_NONBLOCK: a FIFO must not hold the program up.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return refused(`The file cannot be read: ${messageOf(error)}`, 'Check that it exists, and that this user may read it.');
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) return refused('This is not a regular file', 'Put the rule itself there.');
    const writable = refusalOfMode(status, options.trust);
    if (writable !== null) return refused(`The file ${writable}`, `chmod o-w ${path}, after a look at what it says.`);
    const bytes = readAtMost(descriptor, options.maxBytes + 1);
    if (bytes.length > options.maxBytes)
      return refused(`The file is larger than ${options.maxBytes} bytes`, 'One file holds one rule, its cases, or the list of a pack.');
    return {
      ok: true,
      file: {
        path,
        text: new TextDecoder('utf-8', { fatal: true }).decode(bytes),
        checksum: createHash('sha256').update(bytes).digest('hex'),
      },
    };
  } catch (error) {
    if (error instanceof TypeError) return refused('The file is not UTF-8 text', 'Save it as UTF-8.');
    if (errnoOf(error) === undefined) throw error;
    return refused(`The file cannot be read: ${messageOf(error)}`, 'Try again; if it stays, check the disk.');
  } finally {
    closeSync(descriptor);
  }
}

/** The file of the same name that ends in .sql, where there is one: it is held to the same as the rule. */
export function readSqlBeside(path: string, trust: Trust): RuleFileRead | null {
  const beside = path.replace(/\.ya?ml$/, '.sql');
  if (beside === path || !isThere(beside)) return null;
  return readRuleFile(beside, { maxBytes: MAX_RULE_FILE_BYTES, trust });
}

/** What cannot be looked at counts as there: reading it says why. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return true;
  }
}

/** Why a file or directory of this mode and owner is not believed, as the end of a sentence; null where it is. */
export function refusalOfMode(status: Pick<Stats, 'mode' | 'uid'>, trust: Trust): string | null {
  if ((status.mode & 0o002) === 0) return null;
  const isOurs = status.uid === 0 || status.uid === process.getuid?.();
  return trust === 'installed' && isOurs ? null : 'can be written by every user, so anybody could change what is detected';
}

function readAtMost(descriptor: number, maxBytes: number): Uint8Array {
  const buffer = new Uint8Array(maxBytes);
  let filled = 0;
  while (filled < maxBytes) {
    const count = readSync(descriptor, buffer, filled, maxBytes - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}
