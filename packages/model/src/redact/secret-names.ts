/**
 * Which names of options, variables, headers and parameters say that their value is a secret. Case and the signs
 * between words do not matter, and a name may have words before: `--db-password`, `MYSQL_PWD`, `keyStorePassword`.
 */

import { endingsOf, mayEnd } from './spans.ts';

/**
 * How a secret is written: any text; a key, which may also be the name of a file; the value of a header, which may begin
 * with its scheme; what openssl(1) calls a source (`pass:…`, `file:…`); a signature, which is secret in a URL only.
 */
export type SecretKind = 'value' | 'key' | 'header' | 'source' | 'signature';

export type SecretNames = {
  /** Whether a name that ends at `end` may be one of a secret: rules out most others. */
  readonly mayEndAt: (text: string, end: number) => boolean;
  /** The kind of the name that is `text` from `start` to `end`, or null where it names no secret. */
  readonly kindOf: (text: string, start: number, end: number) => SecretKind | null;
  /** What every name of a secret ends in, in lower case and without the signs between its words. */
  readonly ends: readonly string[];
};

const KINDS: Readonly<Record<SecretKind, readonly string[]>> = {
  value: 'password passwd passphrase passcode passwort pass pwd pw pin psk otp secret token bearer cred creds'.split(' '),
  key: (
    'apikey accesskey secretkey privatekey authkey accountkey encryptionkey signingkey ' +
    'masterkey sharedkey storagekey sshkey credential credentials'
  ).split(' '),
  header: ['authorization', 'cookie'],
  source: ['passin', 'passout'],
  signature: ['sig', 'signature'],
};

/** Long enough to be known at the end of a word: `PGPASSWORD`, `authtoken`. */
const GLUED: readonly (readonly [string, SecretKind])[] = [
  ...['password', 'passwd', 'passphrase', 'secret', 'token', 'pass', 'pwd'].map((word) => [word, 'value'] as const),
  ...['apikey', 'accesskey', 'secretkey', 'privatekey', 'credentials'].map((word) => [word, 'key'] as const),
];

/** Words that only end like a secret; PWD and OLDPWD are directories. */
const INNOCENT = new Set(['bypass', 'compass', 'encompass', 'trespass', 'surpass', 'overpass', 'underpass', 'multipass', 'pwd', 'oldpwd']);
const COUNTED_PASSES = new Set(['one', 'two', 'single', 'double', 'multi', 'first', 'second', 'last', 'max', 'by']);
/** A name is a word or two: of a longer one its end is looked at. */
export const NAME_LIMIT = 64;
/** The one name that is no secret with another word before it. */
const NPM_AUTH = '_auth';
const WORDS_OF_A_NAME = 4;
const REMEMBERED_NAMES = 4096;

/** Knows the built-in names and `extra` ones, and remembers what it was asked. */
export function createSecretNames(extra: readonly string[]): SecretNames {
  const extras = new Set(extra.map((name) => wordsOf(name).join('')));
  const kinds = new Map<string, SecretKind>([...extras].map((name) => [name, 'value']));
  for (const [kind, words] of entriesOf(KINDS)) for (const word of words) if (!kinds.has(word)) kinds.set(word, kind);
  const ends = [...kinds.keys(), NPM_AUTH];
  const endings = endingsOf(ends);
  const remembered = new Map<string, SecretKind | null>();
  const mayEndAt: SecretNames['mayEndAt'] = (text, end) => mayEnd(endings, text, end);
  return {
    ends,
    mayEndAt,
    kindOf: (text, start, end) => {
      if (!mayEndAt(text, end)) return null;
      const name = text.slice(Math.max(start, end - NAME_LIMIT), end);
      const known = remembered.get(name);
      if (known !== undefined) return known;
      const kind = kindOf(name, kinds, extras);
      if (remembered.size >= REMEMBERED_NAMES) remembered.clear();
      remembered.set(name, kind);
      return kind;
    },
  };
}

function kindOf(name: string, kinds: ReadonlyMap<string, SecretKind>, extras: ReadonlySet<string>): SecretKind | null {
  const words = wordsOf(name);
  const last = words.at(-1) ?? '';
  const isExtra = extras.has(last) || extras.has(words.join(''));
  if (!isExtra && isInnocent(name, words, last)) return null;
  if (name.toLowerCase() === NPM_AUTH) return 'value';
  let joined = '';
  for (let i = words.length - 1; i >= 0 && i >= words.length - WORDS_OF_A_NAME; i--) {
    joined = `${words[i] ?? ''}${joined}`;
    const kind = kinds.get(joined);
    // A longer end tells more: of `private-key` it is not the word `key`.
    if (kind !== undefined) return kind;
  }
  return GLUED.find(([word]) => last.endsWith(word))?.[1] ?? null;
}

function isInnocent(name: string, words: readonly string[], last: string): boolean {
  if (words[0] === 'no') return true;
  if (last === 'pass') return COUNTED_PASSES.has(words.at(-2) ?? '');
  return last === 'pwd' ? name === 'PWD' : INNOCENT.has(last);
}

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[-_. ]/)
    .filter((word) => word !== '');
}

function entriesOf(kinds: Readonly<Record<SecretKind, readonly string[]>>): [SecretKind, readonly string[]][] {
  return (['value', 'key', 'header', 'source', 'signature'] as const).map((kind) => [kind, kinds[kind]]);
}

/** Options of these words ask for a secret or switch it on, and no value follows: `--ask-password`, `--with-token`. */
const SWITCHES = new Set('no skip ask require without disable use prompt show with generate allow empty print hide get reset'.split(' '));

/** Whether an option of a secret's name takes the next word as its value. */
export function takesValue(name: string): boolean {
  return !SWITCHES.has(wordsOf(name)[0] ?? '');
}

const FILE = /^(?:\.{1,2}\/|~)|\.(?:pem|key|json|p12|pfx|jks|crt|txt)$/;
const KNOWN_ROOT =
  /^\/(?:etc|run|var|home|root|opt|usr|tmp|mnt|srv|dev|proc|data|app|secrets?|keys?|certs?|Users|Library|private|Volumes|nix)\//;
const BASE64 = /^[A-Za-z0-9+/]{32,}={0,2}$/;
/** Longer ones are no file names, and are not looked at. */
const FILE_LIMIT = 4096;

/** Whether the value of a key is the name of the file that holds it. Base64 may begin with a slash, too. */
export function isFileName(value: string): boolean {
  if (value.length > FILE_LIMIT || value.includes('\n')) return false;
  return FILE.test(value) || (value.startsWith('/') && (KNOWN_ROOT.test(value) || !BASE64.test(value)));
}
