/**
 * `sentinelcli rules verify-pack`: whether a directory holds what its manifest says, found out as the agent does when it
 * loads the pack.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { packId } from '@sentineld/detection/rules/pack-manifest';
import { readPack, type PackRead } from '@sentineld/detection/rules/read-pack';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { problemText } from '../output/problem-text.ts';
import { hasManifest, packDirectory, packSize } from '../rule-packs.ts';

export const rulesVerifyPack: Command = defineCommand({
  name: 'rules verify-pack',
  summary: 'Check a pack of rules against the checksums of its manifest',
  description:
    'Holds where every file of pack.yaml is there with its checksum, no other rule file is, and each rule loads: as the agent has it, which loads nothing of a pack that does not hold. The exit status is then 0, otherwise 1. It says nothing of who wrote the manifest.',
  positionals: [{ name: 'DIR', summary: 'the directory with pack.yaml', required: true }],
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli rules verify-pack ./my-rules', what: 'after it was copied or unpacked' },
    { line: 'sentinelcli rules verify-pack ./my-rules && cp -r my-rules /etc/sentineld/rules/', what: 'check before installing' },
  ],
  run: async (context, [dir = ''], { json }) => {
    const directory = packDirectory(dir);
    if (!hasManifest(directory))
      throw new SentinelError('usage.invalid', {
        message: `${dir} is no pack`,
        why: 'there is no pack.yaml in it',
        hint: 'sentinelcli rules pack DIR --name NAME --pack-version V makes a pack of a directory',
      });
    const pack = readPack(directory, 'file', 'configured');
    if (json) context.terminal.out(`${jsonText(packJson(pack), 2)}\n`);
    else print(context, pack);
    return pack.problems.length === 0 ? 0 : 1;
  },
});

function print({ terminal }: CommandContext, { manifest, rules, problems }: PackRead): void {
  for (const problem of problems) terminal.out(problemText(problem, terminal));
  const name = manifest === null ? 'the pack' : displayHostText(packId(manifest));
  if (problems.length > 0) terminal.out(`${terminal.styles.red(`${name} does not hold`)}\n`);
  else terminal.out(`${terminal.styles.green(`${name} holds: ${packSize(manifest?.files.length ?? 0, rules.length)}`)}\n`);
}

function packJson({ manifest, rules, problems }: PackRead): unknown {
  return {
    ok: problems.length === 0,
    pack: manifest === null ? null : packId(manifest),
    name: manifest?.name ?? null,
    version: manifest?.version ?? null,
    description: manifest?.description ?? null,
    author: manifest?.author ?? null,
    licence: manifest?.licence ?? null,
    files: manifest?.files ?? [],
    rules: rules.map(({ id, version, sourcePath }) => ({ id, version, file: sourcePath })),
    problems,
  };
}
