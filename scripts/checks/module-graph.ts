/**
 * The import graph of the workspace as dependency-cruiser sees it. A cruise that misses files or imports (it does
 * so silently, for instance without TypeScript's API) is an error here: an empty graph breaks no rule.
 */
import { existsSync, globSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, getAvailableTranspilers, type IModule, type IViolation } from 'dependency-cruiser';
import ts from 'typescript';
import { BOUNDARY_RULES, CRUISE_OPTIONS } from './boundary-rules.ts';

export type Edge = { readonly to: string; readonly specifier: string; readonly typeOnly: boolean };
export type ModuleGraph = {
  /** TypeScript files under packages/, from the repository's root. */
  readonly sources: readonly string[];
  /** By path from the repository's root; Node's modules are `node:` and their name. */
  readonly edges: ReadonlyMap<string, readonly Edge[]>;
  readonly violations: readonly IViolation[];
};

export function findSources(root: string): string[] {
  return globSync('packages/*/src/**/*.ts', { cwd: root, exclude: (name) => name === 'node_modules' })
    .filter((path) => !path.endsWith('.d.ts'))
    .toSorted();
}

function nodeName(name: string): string {
  return name.startsWith('node:') ? name : `node:${name}`;
}

function readEdges(module: IModule): Edge[] {
  return module.dependencies.map(({ resolved, coreModule, module: specifier, dependencyTypes }) => ({
    to: coreModule ? nodeName(resolved) : resolved,
    specifier,
    typeOnly: dependencyTypes.includes('type-only'),
  }));
}

/** Imports that TypeScript's own scanner sees and the graph has not; two parsers seldom fail alike. */
export function findUnseenImports(root: string, sources: readonly string[], edges: ModuleGraph['edges']): string[] {
  return sources.flatMap((source) => {
    const seen = edges.get(source);
    if (seen === undefined) return [source];
    const specifiers = new Set(seen.map(({ specifier }) => nodeName(specifier)));
    const { importedFiles } = ts.preProcessFile(readFileSync(join(root, source), 'utf8'), true, true);
    return importedFiles.filter(({ fileName }) => !specifiers.has(nodeName(fileName))).map(({ fileName }) => `${source} -> ${fileName}`);
  });
}

/** Reads all sources under `root`/packages and everything they import. `root` holds packages/ and node_modules/. */
export async function readModuleGraph(root: string): Promise<ModuleGraph> {
  if (getAvailableTranspilers().every(({ name, available }) => name !== 'typescript' || !available)) {
    throw new Error('dependency-cruiser finds no TypeScript API: it would see no module at all');
  }
  const baseDir = realpathSync(root);
  const sources = findSources(baseDir);
  if (sources.length === 0) throw new Error(`no TypeScript files in ${join(root, 'packages/*/src')}: nothing can be checked`);
  const options = { ...CRUISE_OPTIONS, doNotFollow: { ...CRUISE_OPTIONS.doNotFollow }, enhancedResolveOptions: resolveOptions() };
  const { output } = await cruise(sources, { ...options, baseDir, validate: true, ruleSet: { forbidden: BOUNDARY_RULES } });
  if (typeof output === 'string') throw new Error(`dependency-cruiser gave text: ${output}`);
  const edges = new Map(output.modules.map((module) => [module.source, readEdges(module)]));
  const unseen = findUnseenImports(baseDir, sources, edges);
  if (unseen.length > 0) throw new Error(`dependency-cruiser did not see:\n  ${unseen.join('\n  ')}`);
  return { sources, edges, violations: output.summary.violations };
}

function resolveOptions(): { exportsFields: string[]; conditionNames: string[] } {
  const { exportsFields, conditionNames } = CRUISE_OPTIONS.enhancedResolveOptions;
  return { exportsFields: [...exportsFields], conditionNames: [...conditionNames] };
}

export type Walk = {
  /** Imports that are not followed. */
  readonly skip?: (from: string, edge: Edge) => boolean;
};

/** Everything reachable from `entries`, each with the module it was first reached from. */
export function walkGraph(graph: ModuleGraph, entries: readonly string[], { skip }: Walk = {}): Map<string, string | undefined> {
  const reached = new Map<string, string | undefined>(entries.map((entry) => [entry, undefined]));
  for (const from of reached.keys()) {
    for (const edge of graph.edges.get(from) ?? []) {
      if (!reached.has(edge.to) && skip?.(from, edge) !== true) reached.set(edge.to, from);
    }
  }
  return reached;
}

/** The way from an entry to `target`, both included. */
export function pathTo(reached: ReadonlyMap<string, string | undefined>, target: string): string[] {
  const path: string[] = [];
  for (let at: string | undefined = target; at !== undefined; at = reached.get(at)) path.unshift(at);
  return path;
}

export function fileExists(root: string, path: string): boolean {
  return existsSync(join(root, path));
}
