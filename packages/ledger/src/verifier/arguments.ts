/**
 * The arguments of sentinel-verify. Few enough to be read without a library, so that the program stays one small file.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';

export type VerifierArguments = {
  readonly files: readonly string[];
  readonly keys: readonly string[];
  readonly keyFiles: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
};

export const USAGE = `sentinel-verify FILE... [--key KEY]... [--key-file FILE]... [--json]

Verifies exports of a ledger and proofs of single entries, with nothing but the file.
What a file is, is told by what is in it.

  --key KEY        a key to trust, as \`sentinelcli audit key export\` prints it
  --key-file FILE  keys to trust, one a line
  --json           one JSON object a file
  --help           this text
  --version        the release

Without a key an export is held against the keys that it names itself: then only its own
word stands for who signed. A proof takes a key.

Ends with 0 where all files hold, 1 where one does not, 2 where one cannot be read or the
use is wrong, 70 where the program itself is wrong.
`;

const VALUED: readonly string[] = ['--key', '--key-file'];
const FLAGS: readonly string[] = ['--json', '--help', '-h', '--version'];

/** @throws SentinelError usage.invalid */
export function parseArguments(words: readonly string[]): VerifierArguments {
  const [files, flags]: [string[], string[]] = [[], []];
  const values: Readonly<Record<string, string[]>> = { '--key': [], '--key-file': [] };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--') {
      files.push(...words.slice(at + 1));
      break;
    }
    const [name = '', ...rest] = word.startsWith('--') ? word.split('=') : [word];
    if (VALUED.includes(name)) {
      const value = rest.length > 0 ? rest.join('=') : words[++at];
      if (value === undefined || value === '') throw misuse(`${name} needs a value.`);
      values[name]?.push(value);
    } else if (FLAGS.includes(word)) flags.push(word);
    else if (word.startsWith('-') && word !== '-') throw misuse(`There is no option ${displayHostText(word)}.`);
    else files.push(word);
  }
  const help = flags.includes('--help') || flags.includes('-h');
  const version = flags.includes('--version');
  if (files.length === 0 && !help && !version) throw misuse('No file was given.');
  return { files, keys: values['--key'] ?? [], keyFiles: values['--key-file'] ?? [], json: flags.includes('--json'), help, version };
}

function misuse(message: string): SentinelError {
  return new SentinelError('usage.invalid', {
    message,
    why: 'the use is `sentinel-verify FILE... [--key KEY] [--key-file FILE] [--json]`',
    hint: '`sentinel-verify --help` tells more.',
  });
}
