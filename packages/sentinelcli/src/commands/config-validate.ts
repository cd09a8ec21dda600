/**
 * `sentinelcli config validate`: whether the configuration, or one file by itself, holds.
 */
import { defineCommand, type Command } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { displayHostText } from '@sentineld/model/host-text';
import { loadConfig, type LoadedConfig } from '@sentineld/runtime/config/load';

export const configValidate: Command = defineCommand({
  name: 'config validate',
  summary: 'Check a configuration file, or all that is in effect',
  description:
    'Without FILE: every layer (system file, own file, --config, environment, --set) as the daemons would load it.\nWith FILE: that file over the defaults and nothing else, for instance before it is installed. Faults are shown with file, line, key and what to write instead; the exit status is then 3.',
  positionals: [{ name: 'FILE', summary: 'a YAML file to check by itself', required: false }],
  options: { json: flag('The result as JSON') },
  examples: [
    { line: 'sentinelcli config validate', what: 'is what the daemons would load right?' },
    { line: 'sentinelcli config validate ./config.yaml && cp config.yaml /etc/sentineld/', what: 'check before installing' },
  ],
  run: async (context, [file], { json }) => {
    const loaded = file === undefined ? context.config() : loadAlone(file);
    const { files, hash } = loaded;
    if (json) context.terminal.out(`${jsonText({ ok: true, files, hash }, 2)}\n`);
    else context.terminal.out(`ok: ${files.length === 0 ? 'defaults, no file' : files.map(displayHostText).join(', ')}\n`);
    return Promise.resolve(0);
  },
});

/** No other layer: an empty environment has no home, and no file has the empty name. */
function loadAlone(file: string): LoadedConfig {
  return loadConfig({ file, environment: {}, systemFile: '' });
}
