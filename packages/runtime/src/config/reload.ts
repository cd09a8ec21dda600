/**
 * Configuration while a daemon runs: the layers are read again as they were read at its start, checked as a whole, and
 * what may change under way takes effect. What may not is said to need a restart, and stays as it is until then.
 */
import { join } from 'node:path';
import type { Config } from './config.ts';
import { leafKeys, loadConfig, type LoadedConfig, type LoadOptions } from './load.ts';
import { configHome } from './state-dir.ts';

export type Reloaded = {
  /** What holds from now on, but for what needs a restart. */
  readonly loaded: LoadedConfig;
  /** Keys that have another value from now on. */
  readonly applied: readonly string[];
  /** Keys that have another value in the files, and keep theirs until the next start. */
  readonly needsRestart: readonly string[];
};

/**
 * `live` are the keys that may change under way. Throws what loadConfig throws; then nothing has changed. A file that
 * can be read no more, since root was given up, is such an error.
 */
export function reloadConfig(options: LoadOptions, running: LoadedConfig, live: ReadonlySet<string>): Reloaded {
  const loaded = loadConfig({ ...options, environment: knownLayers(running) });
  const changed = leafKeys(running.config).filter(
    (key) => JSON.stringify(valueOf(running.config, key)) !== JSON.stringify(valueOf(loaded.config, key)) && !isOwnDefault(key, loaded),
  );
  const applied = changed.filter((key) => live.has(key));
  const config = structuredClone(running.config);
  for (const key of applied) setValue(config, key, valueOf(loaded.config, key));
  return {
    loaded: { ...loaded, config, environment: running.environment },
    applied,
    needsRestart: changed.filter((key) => !live.has(key)),
  };
}

/** A user's file that was not there at the start is not looked for: the home it lies in may be closed by now. */
function knownLayers({ environment, files }: LoadedConfig): Record<string, string> {
  const home = configHome(environment);
  const kept = { ...environment };
  if (home === null || files.includes(join(home, 'sentineld', 'config.yaml'))) return kept;
  delete kept['HOME'];
  delete kept['XDG_CONFIG_HOME'];
  return kept;
}

/** Where the state lies by default follows from who asks, and that may be another user now. */
function isOwnDefault(key: string, { origins }: LoadedConfig): boolean {
  return key === 'state_dir' && origins.get(key) === 'default';
}

function valueOf(config: Config, key: string): unknown {
  return key.split('.').reduce<unknown>((section, part) => (isSection(section) ? Reflect.get(section, part) : undefined), config);
}

function setValue(config: Config, key: string, value: unknown): void {
  const parts = key.split('.');
  const section = parts.slice(0, -1).reduce<unknown>((found, part) => (isSection(found) ? Reflect.get(found, part) : undefined), config);
  if (isSection(section)) Reflect.set(section, parts.at(-1) ?? '', value);
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
