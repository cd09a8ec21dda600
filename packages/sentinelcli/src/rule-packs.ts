/**
 * The directory of a pack as it is named on the command line, and whether it has a manifest.
 */
import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { MANIFEST_NAME } from '@sentineld/detection/rules/pack-manifest';
import { isDirectory } from './rule-files.ts';

/** Its path without links, so that nothing outside is taken for the pack. Throws 'usage.invalid' where it is no directory. */
export function packDirectory(path: string): string {
  if (isDirectory(path)) return realpathSync(path);
  throw new SentinelError('usage.invalid', {
    message: `${path} is no directory`,
    why: 'a pack is a directory of rule files',
    hint: 'give the directory, not a file in it',
  });
}

/** How much is in a pack, for people. */
export function packSize(files: number, rules: number): string {
  return `${files} ${files === 1 ? 'file' : 'files'}, ${rules} ${rules === 1 ? 'rule' : 'rules'}`;
}

/** Also where it is no file or a link: reading it says so. */
export function hasManifest(directory: string): boolean {
  return lstatSync(join(directory, MANIFEST_NAME), { throwIfNoEntry: false }) !== undefined;
}
