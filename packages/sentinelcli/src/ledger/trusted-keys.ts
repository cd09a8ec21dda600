/**
 * Keys that an operator trusts, as they are given on the command line: a key, or a file of keys.
 */
import { MAX_KEY_FILE_BYTES, parseKeyLines } from '@sentineld/ledger/key-lines';
import { parseKey, type VerifierKey } from '@sentineld/ledger/note';
import { readBounded } from './outside.ts';

/** The keys of all of them; a file has one key a line. @throws SentinelError ledger.input for what is neither. */
export function readTrustedKeys(given: readonly string[]): readonly VerifierKey[] {
  return given.flatMap((text) =>
    isKeyText(text) ? [parseKey(text)] : parseKeyLines(readBounded(text, MAX_KEY_FILE_BYTES, 'a file of keys'), text),
  );
}

/** NAME+8 HEX DIGITS+BASE64: no path looks like that. */
function isKeyText(text: string): boolean {
  return /\+[0-9a-f]{8}\+/.test(text);
}
