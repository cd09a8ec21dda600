/**
 * Puts the layers of configuration together (defaults, system file, user file, --config, environment, command line),
 * checks the result once, and says of every value where it came from.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { z } from 'zod';
import { ConfigSchema, DEFAULTS, type Config } from './config.ts';
import { parseAssignment, readConfigFile, readEnvironment, type Setting } from './layers.ts';
import { nearestWord } from './nearest-word.ts';
import { configHome, defaultStateDir } from './state-dir.ts';

export type LoadOptions = {
  /** --config FILE: above the user's file, below the environment. */
  readonly file?: string;
  /** --set KEY=VALUE, and what other flags stand for. */
  readonly assignments?: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Whether the state directory is to be written; one to be read is more easily found. 'read' unless given. */
  readonly use?: 'read' | 'write';
  /** Where the system's file is looked for; tests give another. */
  readonly systemFile?: string;
};

export type LoadedConfig = {
  readonly config: Config;
  /** Dotted key -> where its value came from ('default', a file with line and column, a variable, a flag). */
  readonly origins: ReadonlyMap<string, string>;
  /** Files that were read. */
  readonly files: readonly string[];
  /** SHA-256 of the effective configuration, hex. */
  readonly hash: string;
  /** The variables that had a say in it, so that it can be loaded again as it was loaded. */
  readonly environment: Readonly<Record<string, string>>;
};

const SYSTEM_CONFIG_FILE = '/etc/sentineld/config.yaml';

/** Holds a configuration that was loaded before root was given up, for the program that goes on without root. */
const RESOLVED_VARIABLE = 'SENTINELD_RESOLVED_CONFIG';

/** The variable with which a program that replaces itself hands its configuration on: the files may not be readable any more. */
export function resolvedConfigEnvironment(loaded: LoadedConfig): Readonly<Record<string, string>> {
  return { [RESOLVED_VARIABLE]: JSON.stringify({ config: loaded.config, files: loaded.files, environment: loaded.environment }) };
}

const ResolvedSchema: z.ZodType<{ config: Config; files: string[]; environment: Record<string, string> }> = z.strictObject({
  config: ConfigSchema,
  files: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
});

/** Loads and checks the configuration. Throws 'config.unreadable' or 'config.invalid' with file, line, key and a way out. */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const environment = options.environment ?? process.env;
  const resolved = environment[RESOLVED_VARIABLE];
  if (resolved !== undefined) {
    const { config, files, environment: before } = readResolved(resolved);
    const origins = new Map(leafKeys(config).map((key) => [key, 'before root was given up']));
    return { config, origins, files, hash: hashOf(config), environment: before };
  }
  const files: string[] = [];
  const settings: Setting[] = [];
  const addFile = (file: string, required: boolean): void => {
    const read = readConfigFile(file);
    if (read === null) {
      if (required)
        throw new SentinelError('config.unreadable', {
          message: `${file}: no such file`,
          why: 'a file that is named must be there; only the default ones may be missing',
          hint: 'check the path; it begins where the program is called, unless it begins with /',
        });
      return;
    }
    files.push(file);
    settings.push(...read);
  };
  addFile(options.systemFile ?? SYSTEM_CONFIG_FILE, false);
  const home = configHome(environment);
  if (home !== null) addFile(join(home, 'sentineld', 'config.yaml'), false);
  if (options.file !== undefined) addFile(options.file, true);
  settings.push(...readEnvironment(environment), ...(options.assignments ?? []).map(parseAssignment));
  return { ...resolveConfig(settings, environment, options.use), files, environment: relevantVariables(environment) };
}

/** Directories of the user, and settings. */
function relevantVariables(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && /^(HOME|XDG_CONFIG_HOME|XDG_STATE_HOME|SENTINELD_.*)$/.test(entry[0]),
  );
  return Object.fromEntries(entries);
}

function readResolved(text: string): z.infer<typeof ResolvedSchema> {
  try {
    return ResolvedSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new SentinelError('config.invalid', {
      message: `${RESOLVED_VARIABLE} is set and is not understood`,
      why: messageOf(cause).split('\n')[0] ?? '',
      hint: 'the daemons set this variable for themselves: unset it',
      cause,
    });
  }
}

/** Merges settings over the defaults, later ones winning, and checks the result. */
export function resolveConfig(
  settings: readonly Setting[],
  environment: Readonly<Record<string, string | undefined>>,
  use: 'read' | 'write' = 'read',
): Omit<LoadedConfig, 'files' | 'environment'> {
  const merged: Record<string, unknown> = structuredClone(DEFAULTS);
  const origins = new Map<string, string>(leafKeys(DEFAULTS).map((key) => [key, 'default']));
  for (const setting of settings) {
    refuseUnknownKey(setting);
    if (assign(merged, setting)) origins.set(setting.path.join('.'), setting.where);
  }
  if (merged['state_dir'] === '') merged['state_dir'] = defaultStateDir(environment, process.getuid?.(), use);
  const result = ConfigSchema.safeParse(merged);
  if (!result.success) {
    throw invalidValues(result.error.issues, origins);
  }
  return { config: result.data, origins, hash: hashOf(result.data) };
}

/** The first of the faults, and the others behind the reason: one error has three lines. */
function invalidValues(issues: readonly z.core.$ZodIssue[], origins: ReadonlyMap<string, string>): SentinelError {
  const faults = issues.map(({ path, message }) => {
    const key = path.filter((part) => typeof part === 'string').join('.');
    const origin = origins.get(key) ?? 'default';
    return { place: origin.startsWith('--set') ? origin : `${origin}: ${key}`, message };
  });
  const [first, ...others] = faults;
  const also = others.length === 0 ? '' : `; also ${others.map(({ place, message }) => `${place} ${message}`).join('; ')}`;
  return new SentinelError('config.invalid', {
    message: `${first?.place ?? ''}: not taken`,
    why: `it ${first?.message ?? ''}${also}`,
    hint: 'docs/configuration.md has every key with its default and its form',
  });
}

function hashOf(config: Config): string {
  return createHash('sha256').update(JSON.stringify(config)).digest('hex');
}

/** Every dotted key of a configuration object, in its order. */
export function leafKeys(value: object, prefix = ''): string[] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return isSection(inner) ? leafKeys(inner, path) : [path];
  });
}

function refuseUnknownKey(setting: Setting): void {
  const known = leafKeys(DEFAULTS);
  const key = setting.path.join('.');
  if (known.includes(key)) {
    if (setting.path.every((part) => !part.includes('.'))) return;
    throw new SentinelError('config.invalid', {
      message: `${setting.where}: ${key} is written as one key`,
      why: 'in a file each part of a key is a key of its own',
      hint: 'write its parts one below the other, indented',
    });
  }
  const under = known.filter((candidate) => candidate.startsWith(`${key}.`));
  if (under.length > 0) {
    // An empty section ("log:" with nothing below it) says nothing and is allowed.
    if (setting.value === null) return;
    throw new SentinelError('config.invalid', {
      message: `${setting.where}: ${key} is a section, not a value`,
      why: `it holds ${under.join(', ')}`,
      hint: `give one of these, for instance ${under[0] ?? ''}`,
    });
  }
  const nearest = nearestWord(key, known) ?? known.find((candidate) => candidate.endsWith(`.${setting.path.at(-1) ?? ''}`));
  throw new SentinelError('config.invalid', {
    message: `${setting.where}: unknown key ${key}`,
    why: 'a setting that is not understood is refused, never ignored',
    hint: nearest === undefined ? 'docs/configuration.md has every key' : `did you mean ${nearest}?`,
    context: { key, where: setting.where, nearest },
  });
}

/** False where the setting says nothing (an empty section). */
function assign(target: Record<string, unknown>, setting: Setting): boolean {
  let section = target;
  for (const part of setting.path.slice(0, -1)) {
    const inner = section[part];
    if (!isSection(inner)) return false;
    section = inner;
  }
  const last = setting.path.at(-1);
  if (last === undefined || (setting.value === null && isSection(section[last]))) return false;
  section[last] = typeof setting.value === 'number' && needsUnit(setting.path) ? String(setting.value) : setting.value;
  return true;
}

/** Numbers that count something, so that a unit is neither needed nor known. */
const COUNTS: ReadonlySet<string> = new Set([
  'detection.row_limit',
  'collection.queue.limit',
  'collection.budget.cpu',
  'ledger.checkpoint_entries',
]);

/** Quantities are numbers once read, so a bare number of a file must be handed on as text to be refused for want of a unit. */
function needsUnit(path: readonly string[]): boolean {
  let value: unknown = DEFAULTS;
  for (const part of path) value = isSection(value) ? value[part] : undefined;
  return typeof value === 'number' && !COUNTS.has(path.join('.'));
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
