/**
 * docs/configuration.md, made from the defaults and from the comments on the type of the configuration.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { DEFAULTS } from '@sentineld/runtime/config/config';
import { leafKeys, resolveConfig } from '@sentineld/runtime/config/load';
import { formatDuration, formatSize } from '@sentineld/runtime/config/quantity';

const DURATIONS = new Set([
  'collection.interval',
  'collection.queue.timeout',
  'storage.retention_age',
  'ledger.checkpoint_interval',
  'detection.deadline',
  'alerting.dedup_window',
]);
const SIZES = new Set([
  'collection.argv_limit',
  'collection.hash_file_limit',
  'collection.hash_rate',
  'collection.queue.spill_limit',
  'collection.budget.memory',
  'storage.retention_size',
  'storage.wal_limit',
  'detection.memory',
]);

/** The whole page as Markdown. */
export function configurationPage(): string {
  return [
    '# Configuration',
    '',
    'Made from the sources by `pnpm docs`. Nothing has to be configured. What is read, later ones winning:',
    '',
    '1. the defaults below',
    '2. `/etc/sentineld/config.yaml`',
    '3. `$XDG_CONFIG_HOME/sentineld/config.yaml`, that is `~/.config/sentineld/config.yaml`',
    '4. `--config FILE`',
    '5. the environment: `SENTINELD_COLLECTION__INTERVAL=2s` is `collection.interval`, with two underscores between levels',
    '6. the command line: `--set collection.interval=2s`, `--state-dir DIR`',
    '',
    'Durations have a unit (`500ms`, `2s`, `5m`, `1h`, `1d`), sizes too (`64KiB`, `64MiB`, `64MB`). An unknown key is an error that names the file, the',
    'line, the key and the nearest right one. `sentinelcli config show` prints every value and where it came from; `sentinelcli config validate FILE`',
    'checks a file.',
    '',
    '| Key | Default | Form | Meaning |',
    '|---|---|---|---|',
    ...leafKeys(DEFAULTS).map((key) => `| \`${key}\` | ${written(key)} | ${form(key)} | ${meaning(key)} |`),
    '',
  ].join('\n');
}

function written(key: string): string {
  if (key === 'state_dir')
    return '`~/.local/state/sentineld`; `/var/lib/sentineld` for root whose home is closed, and for whoever only reads and has none of their own';
  const value = key
    .split('.')
    .reduce<unknown>(
      (section, part) => (typeof section === 'object' && section !== null ? Reflect.get(section, part) : undefined),
      DEFAULTS,
    );
  if (typeof value === 'number' && DURATIONS.has(key)) return `\`${formatDuration(value)}\``;
  if (typeof value === 'number' && SIZES.has(key)) return `\`${formatSize(value)}\``;
  return value === '' ? '' : `\`${JSON.stringify(value)}\``;
}

/** What the check says that a value has to be, asked with one that no key takes. */
function form(key: string): string {
  const value = DURATIONS.has(key) ? '9999d' : SIZES.has(key) ? '99999GiB' : 1.5;
  try {
    resolveConfig([{ path: key.split('.'), value, where: 'docs' }], {});
  } catch (cause) {
    if (cause instanceof SentinelError) return cause.why.replace(/^it must be /, '');
    throw cause;
  }
  throw new Error(`${key} takes anything`);
}

/** The comment that stands before a key in the type. */
function meaning(key: string): string {
  const source = readFileSync(join(import.meta.dirname, '..', '..', 'packages', 'runtime', 'src', 'config', 'config.ts'), 'utf8');
  const type = source.slice(source.indexOf('export type Config = {'), source.indexOf('export const DEFAULTS'));
  const name = key.split('.').at(-1) ?? '';
  const section = key.includes('.') ? type.slice(type.indexOf(`readonly ${key.split('.').at(-2) ?? ''}: {`)) : type;
  const comment = new RegExp(`/\\*\\* ([^*]+) \\*/\\s*readonly ${name}:`).exec(section)?.[1] ?? FURTHER.get(key);
  if (comment === undefined) throw new Error(`config.ts says nothing of ${key}`);
  return comment;
}

/** Keys whose name says it in the type. */
const FURTHER: ReadonlyMap<string, string> = new Map([
  ['log.level', 'The least that is logged.'],
  ['alerting.stdout.enabled', "Whether alerts are written to the agent's standard output."],
  ['alerting.stdout.format', 'text for people, json for programs.'],
  ['alerting.file.enabled', 'Whether alerts are written to a file of JSON lines.'],
]);
