/**
 * Lists every file, npm package and Node module that a privileged program can reach, and compares the list with the
 * committed one in reach/, so that growth shows in review. `--write` accepts what is there now.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY, reportFindings, type Finding } from './finding.ts';
import { fileExists, readModuleGraph, walkGraph, type ModuleGraph } from './module-graph.ts';

/** Privileged packages, and which of their files run as programs or threads of their own. */
const PRIVILEGED = [
  {
    packageName: 'procmond',
    main: 'packages/procmond/src/main.ts',
    threads: /^packages\/procmond\/src\/hash-worker[^/]*(\.ts$|\/main\.ts$)/,
  },
] as const;
type Privileged = (typeof PRIVILEGED)[number];

const NPM_PATH = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** Who imports a module: the workspace's package or npm's. */
function ownerOf(path: string): string {
  return NPM_PATH.exec(path)?.[1] ?? /^packages\/([^/]+)\//.exec(path)?.[1] ?? path;
}

function section(title: string, lines: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const sorted = [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return ['', title, ...sorted.map(([name, owners]) => `  ${name}${owners.size > 0 ? `  (${[...owners].toSorted().join(', ')})` : ''}`)];
}

/** The list as text: what code loads, imports of types left out. */
function describeReach(graph: ModuleGraph, { packageName, main, threads }: Privileged): string {
  const entries = [main, ...graph.sources.filter((source) => threads.test(source) && !source.endsWith('.test.ts'))];
  const skip = (_from: string, edge: { readonly typeOnly: boolean }): boolean => edge.typeOnly;
  const files = new Map<string, Set<string>>();
  const npm = new Map<string, Set<string>>();
  const node = new Map<string, Set<string>>();
  const add = (list: Map<string, Set<string>>, name: string, owner?: string): void => {
    const owners = list.get(name) ?? new Set();
    if (owner !== undefined && owner !== name) owners.add(owner);
    list.set(name, owners);
  };
  for (const from of walkGraph(graph, entries, { skip }).keys()) {
    if (!from.startsWith('node:') && !NPM_PATH.test(from)) add(files, from);
    for (const edge of graph.edges.get(from) ?? []) {
      if (edge.typeOnly) continue;
      if (edge.to.startsWith('node:')) add(node, edge.to, ownerOf(from));
      else if (NPM_PATH.test(edge.to)) add(npm, ownerOf(edge.to), ownerOf(from));
    }
  }
  const head = [
    `# All that ${packageName} can reach; in brackets who imports it. Made by: pnpm reach --write`,
    '',
    'Starts at',
    ...entries.map((entry) => `  ${entry}`),
  ];
  return [...head, ...section('Files', files), ...section('npm packages', npm), ...section('Node modules', node), ''].join('\n');
}

/** Lines of `before` and `after` that the other does not have, `-` and `+` before them. */
function differingLines(before: string, after: string): string[] {
  const [old, current] = [before.split('\n'), after.split('\n')];
  return [
    ...old.filter((line) => !current.includes(line)).map((line) => `- ${line.trim()}`),
    ...current.filter((line) => !old.includes(line)).map((line) => `+ ${line.trim()}`),
  ];
}

/** Compares with, or with `write` replaces, the lists under `root`/scripts/checks/reach. */
export async function checkReach(root: string, write: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  const graph = await readModuleGraph(root);
  for (const program of PRIVILEGED) {
    const file = `scripts/checks/reach/${program.packageName}.txt`;
    if (!fileExists(root, program.main)) {
      findings.push({
        rule: 'reach',
        file: program.main,
        message: `does not exist, so nothing is known of what ${program.packageName} can reach`,
      });
      continue;
    }
    const current = describeReach(graph, program);
    if (write) writeFileSync(join(root, file), current);
    const committed = fileExists(root, file) ? readFileSync(join(root, file), 'utf8') : '';
    if (committed === '') findings.push({ rule: 'reach', file, message: 'is not there yet' });
    else findings.push(...differingLines(committed, current).map((message) => ({ rule: 'reach', file, message })));
  }
  return findings;
}

if (import.meta.main) {
  const findings = await checkReach(REPOSITORY, process.argv.includes('--write'));
  reportFindings(findings);
  if (findings.some(({ file }) => file?.endsWith('.txt')))
    console.log('where the growth is meant: pnpm reach --write, and commit the list');
}
