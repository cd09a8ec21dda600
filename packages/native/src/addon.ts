/**
 * Finds and loads the addon for this platform: a few system calls that Node does not offer. Where there is none, the
 * product says what it cannot do and goes on. The file runs with the full rights of the process, so it is loaded only
 * from beside this code, and only when it belongs to the owner of this code or to root.
 */
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { bindNative, isAddon, type Native } from './binding.ts';
import type { Arch } from './syscalls.ts';

export type { Native } from './binding.ts';
export type { ConfinementProfile } from './confinement.ts';

export type NativeAvailability =
  | { readonly available: true; readonly native: Native }
  /** Why not, in one sentence for the operator. */
  | { readonly available: false; readonly reason: string };

let loaded: NativeAvailability | undefined;

/**
 * The addon, loaded once per thread. Never throws. With `directory`, the addon is taken from there whoever owns it,
 * and loaded anew.
 */
export function loadNative(options: { readonly directory?: string } = {}): NativeAvailability {
  if (options.directory !== undefined) return load((name) => join(String(options.directory), name));
  loaded ??= load(findBesideThisCode);
  return loaded;
}

function load(locate: (fileName: string) => string): NativeAvailability {
  const arch = supportedArch();
  if (arch === null) return { available: false, reason: `No native addon exists for ${process.platform} on ${process.arch}` };
  try {
    const file = locate(`linux-${arch}.node`);
    const holder: { exports: Record<string, unknown> } = { exports: {} };
    process.dlopen(holder, file, constants.dlopen.RTLD_NOW);
    if (!isAddon(holder.exports)) return { available: false, reason: `${file} is of another version` };
    return { available: true, native: bindNative(holder.exports, arch) };
  } catch (error) {
    return { available: false, reason: `The native addon cannot be loaded: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function supportedArch(): Arch | null {
  if (process.platform !== 'linux') return null;
  return process.arch === 'x64' || process.arch === 'arm64' ? process.arch : null;
}

/**
 * A bundle has prebuilt/ in its own directory, the package beside the directory of its code. The bundle's comes first
 * and owners are compared because a bundle may lie in a shared directory, where anybody could put a prebuilt/ beside it.
 */
function findBesideThisCode(fileName: string): string {
  const code = fileURLToPath(import.meta.url);
  const directories = [join(dirname(code), 'prebuilt'), join(dirname(code), '..', 'prebuilt')];
  const directory = directories.find((each) => lstatSync(join(each, fileName), { throwIfNoEntry: false }) !== undefined);
  if (directory === undefined) throw new Error(`no ${fileName} in ${directories.join(' or ')}`);

  const file = join(directory, fileName);
  const trusted = new Set([0, lstatSync(code).uid]);
  for (const path of [directory, file]) {
    const { uid } = lstatSync(path);
    if (!trusted.has(uid)) throw new Error(`${path} belongs to user ${uid}, who owns neither this program nor the system`);
  }
  return file;
}
