/**
 * A file of keys: one a line, as `sentinelcli audit key export` prints them; what follows # is for people.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { type VerifierKey, parseKey } from './note.ts';

/** Bytes of such a file at most: a key takes one short line. */
export const MAX_KEY_FILE_BYTES: number = 64 * 1024;

/** @throws SentinelError ledger.input naming the file and the line; also where there is no key in it. */
export function parseKeyLines(text: string, path: string): readonly VerifierKey[] {
  const keys = text.split('\n').flatMap((line, index) => keyOfLine(line, index + 1, path));
  if (keys.length === 0) throw unusable(path, 'there is no key in it', 'one key a line');
  return keys;
}

function keyOfLine(line: string, number: number, path: string): readonly VerifierKey[] {
  const text = line.replace(/(?:^|\s)#[^]*$/, '').trim();
  if (text === '') return [];
  try {
    return [parseKey(text)];
  } catch (thrown) {
    if (thrown instanceof SentinelError)
      throw unusable(path, `line ${number} is no key of a ledger: ${thrown.why}`, 'one key a line, whole');
    throw thrown;
  }
}

function unusable(path: string, why: string, form: string): SentinelError {
  return new SentinelError('ledger.input', {
    message: `The file of keys ${displayHostText(path)} cannot be used.`,
    why,
    hint: `Give a file as \`sentinelcli audit key export\` makes it: ${form}.`,
    context: { path },
  });
}
