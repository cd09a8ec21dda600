/**
 * Keys that an operator trusts, as they are given on the command line: a key, or a file of keys.
 */
import { parseKey, type VerifierKey } from '@sentineld/ledger/note';
import { readBounded } from './outside.ts';

const MAX_KEY_FILE_BYTES = 64 * 1024;

/** The keys of all of them; a file has one key a line. @throws SentinelError ledger.input for what is neither. */
export function readTrustedKeys(given: readonly string[]): readonly VerifierKey[] {
  return given.flatMap((text) => (isKeyText(text) ? [parseKey(text)] : keysInFile(text)));
}

/** NAME+8 HEX DIGITS+BASE64: no path looks like that. */
function isKeyText(text: string): boolean {
  return /\+[0-9a-f]{8}\+/.test(text);
}

function keysInFile(path: string): readonly VerifierKey[] {
  const lines = readBounded(path, MAX_KEY_FILE_BYTES, 'a file of keys')
    .split('\n')
    // What follows # is for people, as sentinel-verify has it.
    .map((line) => (line.split('#')[0] ?? '').trim());
  const keys = lines.filter((line) => line !== '');
  // An empty file is told as what it is not, by the same words as a wrong line.
  return (keys.length === 0 ? [''] : keys).map(parseKey);
}
