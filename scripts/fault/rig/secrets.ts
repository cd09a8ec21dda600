/**
 * Secrets in the arguments of processes, each made up for one campaign, and the search for them in everything that an
 * installation has written.
 */
import { randomBytes } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Campaign } from './campaign.ts';
import { startHelper, type Helper } from './helper.ts';
import { temporaryDirectory } from './programs.ts';

/** Settings that name what the campaign's own secrets look like. */
export const SECRET_SETTINGS: readonly string[] = [
  'collection.redact.names=[zebra-word]',
  'collection.redact.patterns=["plomb-([a-z0-9]+)"]',
];
/** What is looked for: a secret that was cut is one, too. */
const TELLING = 12;

export type Secret = { readonly what: string; readonly value: string };

export type Secrets = {
  readonly all: () => readonly Secret[];
  /** Starts a process for each form, which goes on. */
  readonly plant: () => Promise<readonly Helper[]>;
  /** Runs a short life for each form. */
  readonly flash: () => Promise<void>;
};

type Form = (secret: () => string) => { readonly as?: string; readonly words: readonly string[] };

const FORMS: Readonly<Record<string, Form>> = {
  'an option and its value in one word': (secret) => ({ words: [`--password=${secret()}`] }),
  'an option and its value in two words': (secret) => ({ words: ['--api-token', secret()] }),
  'a variable': (secret) => ({ words: [`PGPASSWORD=${secret()}`, 'x'] }),
  'a URL': (secret) => ({ words: [`https://someone:${secret()}@host.invalid/path?x=1`] }),
  'a header': (secret) => ({ words: ['-H', `Authorization: Bearer ${secret()}`] }),
  'an option of one program': (secret) => ({ as: 'mysql', words: [`-p${secret()}`] }),
  'a name of the configuration': (secret) => ({ words: [`--zebra_word=${secret()}`] }),
  'a pattern of the configuration': (secret) => ({ words: [`plomb-${secret()}`] }),
  'a line for a shell': (secret) => ({ words: ['-c', `export TOKEN=${secret()}; run --secret '${secret()}'`] }),
  'where the arguments are cut': (secret) => ({
    words: ['y'.repeat(65_000), 'y'.repeat(65_000), `--password=${secret()}${'z'.repeat(3_000)}`],
  }),
};

export function createSecrets(campaign: Campaign, program: string): Secrets {
  const all: Secret[] = [];
  const directory = temporaryDirectory(campaign.cleanup);
  const programs = new Map<string, string>();
  const copyAs = (name: string): string => {
    const path = programs.get(name) ?? join(directory, name);
    if (!programs.has(name)) copyFileSync(program, path);
    programs.set(name, path);
    return path;
  };
  copyAs('mysql');
  const start = (what: string, form: Form): Helper => {
    const { as, words } = form(() => {
      const value = `q${randomBytes(10).toString('hex')}`;
      all.push({ what, value });
      return value;
    });
    return startHelper(campaign, as === undefined ? program : copyAs(as), ['stay', ...words]);
  };
  return {
    all: () => all,
    plant: async () => {
      const helpers = Object.entries(FORMS).map(([what, form]) => start(what, form));
      for (const helper of helpers) await helper.answer('ready');
      return helpers;
    },
    flash: async () => {
      const helpers = Object.entries(FORMS).map(([what, form]) => start(what, form));
      for (const helper of helpers) await helper.end();
    },
  };
}

/** Where a secret was written: file and form; each once. */
export function leaksIn(directories: readonly string[], secrets: readonly Secret[]): readonly string[] {
  const found = new Set<string>();
  for (const path of directories.flatMap(filesBelow)) {
    const bytes = readFileSync(path);
    // Each begins so and nothing else does: one search tells for nearly every file that there is none.
    for (const { what, value } of secrets) if (bytes.includes(value.slice(0, TELLING))) found.add(`${what}: ${path}`);
  }
  return [...found];
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
