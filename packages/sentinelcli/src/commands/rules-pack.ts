/**
 * `sentinelcli rules pack`: makes a pack of a directory of rules, or writes its manifest anew after a change that was
 * meant. Nothing is written while a rule would not be loaded, or its SQL not be run.
 */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { refusalProblem } from '@sentineld/detection/rules/judge-rule';
import { formatLoadProblem, type LoadProblem } from '@sentineld/detection/rules/load-problem';
import {
  MANIFEST_NAME,
  MAX_MANIFEST_BYTES,
  faultOfValue,
  manifestText,
  packId,
  readManifest,
  type PackManifest,
} from '@sentineld/detection/rules/pack-manifest';
import { compareVersions, nextVersion } from '@sentineld/detection/rules/pack-version';
import { readPackContent, type PackContent } from '@sentineld/detection/rules/read-pack';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag, text } from '../option.ts';
import { startNewFile } from '../output/new-file.ts';
import { problemText } from '../output/problem-text.ts';
import { hasManifest, packDirectory, packSize } from '../rule-packs.ts';
import { checkTargets } from '../rule-source-files.ts';
import { judgeAll } from './rules-validate.ts';

/** The agent runs as another user than who packs; rules are no secret. */
const FILE_MODE = 0o644;

type About = Omit<PackManifest, 'files'>;
type Given = { readonly name: string | null; readonly 'pack-version': string | null; readonly description: string | null };

export const rulesPack: Command = defineCommand({
  name: 'rules pack',
  summary: 'Make a pack of a directory of rules, or write its manifest anew',
  description:
    'Writes pack.yaml, with the SHA-256 of every rule, case and query file in the directory (docs/rules.md), once each rule loads and its SQL would be run. Of a manifest that is there, name, description, author and licence are kept; what changed needs a higher version. The exit status is 1 where a rule is refused, and nothing is written then.',
  positionals: [{ name: 'DIR', summary: 'the directory of the rules', required: true }],
  options: {
    name: text('NAME', 'What the pack is called; has to be given where there is no pack.yaml yet'),
    'pack-version': text('V', 'Dotted numbers, as 1.4.0; has to be given where there is no pack.yaml yet, or anything changed'),
    description: text('TEXT', 'What the rules are for, in one line'),
    force: flag('Take a version that is not higher, and replace a pack.yaml that cannot be read'),
  },
  examples: [
    {
      line: "sentinelcli rules pack ./my-rules --name my-rules --pack-version 1.0.0 --description 'Rules of our web hosts'",
      what: 'a new pack',
    },
    { line: 'sentinelcli rules pack ./my-rules --pack-version 1.0.1', what: 'after a rule was changed' },
  ],
  run: async (context, [dir = ''], { force, ...given }) => {
    const directory = packDirectory(dir);
    checkValues(given);
    const existing = existingManifest(directory, force);
    const about = aboutOf(given, existing);
    checkTargets([join(directory, MANIFEST_NAME)], true);
    const content = readPackContent(directory, 'configured');
    const problems = await problemsOf(directory, content);
    if (problems.length > 0) return tellProblems(context, problems);
    const manifest = { ...about, files: content.files };
    const isChanged = existing === null || manifestText(manifest) !== manifestText(existing);
    if (isChanged && existing !== null && !force) checkVersion(manifest, existing, given['pack-version'] !== null);
    if (isChanged) writeManifest(directory, manifest);
    const outcome = `${packId(manifest)} ${isChanged ? 'packed' : 'is packed already'}`;
    context.terminal.out(
      `${context.terminal.styles.green(`${outcome}: ${packSize(content.files.length, content.rules.length)}`)}\n  ${displayHostText(join(directory, MANIFEST_NAME))}\n`,
    );
    return 0;
  },
});

const INSTEAD: Readonly<Record<keyof Given, string>> = {
  name: '--name web-hosts',
  'pack-version': '--pack-version 1.4.0',
  description: "--description 'Rules of our web hosts'",
};

function checkValues(given: Given): void {
  for (const option of ['name', 'pack-version', 'description'] as const) {
    const value = given[option];
    const fault = value === null ? null : faultOfValue(option === 'pack-version' ? 'version' : option, value);
    if (fault === null || value === null) continue;
    const shown = value.length > 80 ? `of ${value.length} characters` : value;
    throw usage(`--${option} ${shown}: not taken`, fault, `write for instance ${INSTEAD[option]}`);
  }
}

/** Null where there is none, or where it is to be replaced whatever it says. */
function existingManifest(directory: string, force: boolean): PackManifest | null {
  if (!hasManifest(directory)) return null;
  const read = readManifest(directory, 'configured');
  if (read.ok) return read.manifest;
  if (force) return null;
  const [problem] = read.problems;
  throw usage(
    `${join(directory, MANIFEST_NAME)} cannot be read as a manifest`,
    problem === undefined ? 'it is not right' : formatLoadProblem(problem),
    'mend it, or give --force with --name and --pack-version to write it anew',
  );
}

function aboutOf({ name, 'pack-version': version, description }: Given, existing: PackManifest | null): About {
  const packName = name ?? existing?.name;
  const packVersion = version ?? existing?.version;
  if (packName === undefined) throw usage('rules pack needs --name', 'the pack has no name yet', `write for instance ${INSTEAD.name}`);
  if (packVersion === undefined)
    throw usage('rules pack needs --pack-version', 'the pack has no version yet', `write for instance ${INSTEAD['pack-version']}`);
  return {
    name: packName,
    version: packVersion,
    description: description ?? existing?.description ?? `Rules of ${packName}`,
    author: existing?.author,
    licence: existing?.licence,
  };
}

/** Everything that would keep the agent from loading and running all of the rules. */
async function problemsOf(directory: string, { files, rules, problems }: PackContent): Promise<readonly LoadProblem[]> {
  if (problems.length > 0) return problems;
  if (rules.length === 0)
    throw usage(`${directory} holds no rules`, 'no file in it is called ID.yaml or ID.yml', 'give the directory of the rules');
  const bytes = Buffer.byteLength(manifestText({ name: '', version: '', description: '', files })) + 4096;
  if (bytes > MAX_MANIFEST_BYTES)
    throw usage(
      `${directory} is too large for one pack`,
      `its manifest would exceed ${MAX_MANIFEST_BYTES} bytes`,
      'make several packs of it',
    );
  const judged = await judgeAll(rules);
  return judged.flatMap(({ rule, refusal }) => (refusal === null ? [] : [refusalProblem(rule, refusal)]));
}

function tellProblems({ terminal }: CommandContext, problems: readonly LoadProblem[]): number {
  for (const problem of problems) terminal.out(problemText(problem, terminal));
  const count = `${problems.length} ${problems.length === 1 ? 'fault' : 'faults'}`;
  terminal.out(`${terminal.styles.red(`${count}, nothing was written`)}\n`);
  return 1;
}

/** A version says what is in a pack: other contents need another one, and a higher one, unless the pack is renamed. */
function checkVersion(manifest: PackManifest, existing: PackManifest, isGiven: boolean): void {
  if (manifest.name !== existing.name) return;
  const difference = compareVersions(manifest.version, existing.version);
  const isSame = manifestText({ ...manifest, version: existing.version }) === manifestText(existing);
  if (difference > 0 || (difference === 0 && isSame)) return;
  const hint = `write for instance --pack-version ${nextVersion(existing.version)}; --force takes ${isGiven ? manifest.version : 'the same'} all the same`;
  const hosts = 'hosts that have the pack could not tell the two apart';
  if (difference < 0)
    throw usage(`--pack-version ${manifest.version}: not taken`, `the pack is ${packId(existing)}, and a version only rises`, hint);
  if (isGiven) throw usage(`--pack-version ${manifest.version}: not taken`, `${packId(existing)} has other contents: ${hosts}`, hint);
  throw usage('rules pack needs --pack-version', `${packId(existing)} has other contents now: ${hosts}`, hint);
}

function writeManifest(directory: string, manifest: PackManifest): void {
  const file = startNewFile(join(directory, MANIFEST_NAME), { force: true });
  try {
    file.write(manifestText(manifest));
    chmodSync(file.temporaryPath, FILE_MODE);
    file.complete();
  } finally {
    file.discard();
  }
}

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
