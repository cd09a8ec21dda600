/**
 * `sentinelcli config show`: every key with its value and where the value came from.
 */
import { displayHostText } from '@sentineld/model/host-text';
import { DEFAULTS } from '@sentineld/runtime/config/config';
import { leafKeys, resolveConfig } from '@sentineld/runtime/config/load';
import { formatDuration, formatSize } from '@sentineld/runtime/config/quantity';
import { defineCommand, type Command } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { renderTable } from '../output/table.ts';

export const configShow: Command = defineCommand({
  name: 'config show',
  summary: 'Show every setting, its value and where it came from',
  description:
    'Later layers win: defaults, /etc/sentineld/config.yaml, ~/.config/sentineld/config.yaml, --config FILE, SENTINELD_SECTION__KEY, --set. Values are shown as they would be written in a file.',
  options: { json: flag('As a JSON object by key: value, written, origin') },
  examples: [
    { line: 'sentinelcli config show', what: 'what is in effect' },
    { line: 'sentinelcli config show --set collection.interval=5s', what: 'what one setting would change' },
    { line: "sentinelcli config show --json | jq -r '.settings.state_dir.value'", what: 'one value for a script' },
  ],
  run: async (context, _words, { json }) => {
    const { config, origins, files, hash } = context.config();
    const settings = leafKeys(DEFAULTS).map((key) => {
      const value = valueAt(config, key);
      return { key, value, written: writtenForm(key, value), origin: origins.get(key) ?? 'default' };
    });
    if (json) {
      const byKey = Object.fromEntries(settings.map(({ key, ...rest }) => [key, rest]));
      context.terminal.out(`${jsonText({ files, hash, settings: byKey }, 2)}\n`);
      return Promise.resolve(0);
    }
    const { styles, width, out } = context.terminal;
    const rows = settings.map(({ key, written, origin }) => [key, written, origin]);
    const isDefault = (value: unknown): boolean => value === 'default';
    const cellStyles = { from: (value: unknown) => (isDefault(value) ? styles.dim : styles.cyan) };
    out(renderTable(['key', 'value', 'from'], rows, { width, styles, cellStyles }).text);
    out(`files: ${files.length === 0 ? 'none' : files.map(displayHostText).join(', ')}\n`);
    return Promise.resolve(0);
  },
});

/** A value as a file would have it. What a number counts (ms, bytes, things) is found by asking which form is taken. */
function writtenForm(key: string, value: unknown): string {
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  const forms = [formatDuration(value), formatSize(value)];
  return forms.find((form) => isTaken(key, form)) ?? String(value);
}

function isTaken(key: string, written: string): boolean {
  try {
    resolveConfig([{ path: key.split('.'), value: written, where: '' }], {});
    return true;
  } catch {
    return false;
  }
}

function valueAt(config: object, key: string): unknown {
  let at: unknown = config;
  for (const part of key.split('.')) at = typeof at === 'object' && at !== null ? Reflect.get(at, part) : undefined;
  return at;
}
