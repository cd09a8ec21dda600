/**
 * Reads package.json files: the workspace's own, and those of everything installed that the shipped packages need.
 * Works on what is in node_modules, without a network and without pnpm's store.
 */
import { existsSync, globSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type Manifest = {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string | { readonly type?: string };
  readonly licenses?: readonly { readonly type?: string }[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
};

export type InstalledPackage = { readonly directory: string; readonly manifest: Manifest };

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

/** Directories of the workspace's packages, the root first. */
export function workspaceDirectories(root: string): string[] {
  return [
    root,
    ...globSync('packages/*/package.json', { cwd: root })
      .toSorted()
      .map((path) => join(root, dirname(path))),
  ];
}

/** Node's way up through node_modules; undefined where the package is not installed. */
function findInstalled(from: string, name: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (dirname(directory) === directory) return undefined;
  }
}

/**
 * Everything that the workspace's packages need to run, the packages themselves left out. A missing dependency is an
 * error, a missing optional or peer dependency is not.
 */
export function readProductionClosure(root: string): InstalledPackage[] {
  const own = new Set(workspaceDirectories(realpathSync(root)));
  const seen = new Map<string, Manifest>([...own].map((directory) => [directory, readManifest(directory)]));
  for (const [directory, manifest] of seen) {
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies })) {
      const found = findInstalled(directory, name);
      if (found !== undefined) seen.set(found, seen.get(found) ?? readManifest(found));
      else if (manifest.dependencies?.[name] !== undefined && manifest.optionalDependencies?.[name] === undefined)
        throw new Error(`${name}, needed by ${directory}, is not installed`);
    }
  }
  return [...seen].filter(([directory]) => !own.has(directory)).map(([directory, manifest]) => ({ directory, manifest }));
}
