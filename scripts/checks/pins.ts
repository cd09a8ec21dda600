/**
 * Every dependency in every package.json of the workspace is one exact version, and the workspace's own packages are
 * `workspace:*`: what was tested is what is installed.
 */
import { join, relative } from 'node:path';
import { REPOSITORY, reportFindings, type Finding } from './finding.ts';
import { readManifest, workspaceDirectories, type Manifest } from './manifests.ts';

const EXACT = /^(?:npm:(?:@[^/@]+\/)?[^/@]+@)?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

export function checkPins(file: string, manifest: Manifest): Finding[] {
  const lists = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies, manifest.peerDependencies];
  return lists.flatMap((list) =>
    Object.entries(list ?? {}).flatMap(([name, version]) => {
      const own = name.startsWith('@sentineld/');
      if (own ? version === 'workspace:*' : EXACT.test(version)) return [];
      return [{ rule: 'pin', file, message: `${name} is ${version}, not ${own ? 'workspace:*' : 'one exact version'}` }];
    }),
  );
}

if (import.meta.main) {
  const directories = workspaceDirectories(REPOSITORY);
  if (directories.length < 2) throw new Error('no packages found: nothing can be checked');
  reportFindings(
    directories.flatMap((directory) => checkPins(join(relative(REPOSITORY, directory), 'package.json'), readManifest(directory))),
  );
}
