/**
 * Checks the zones: single imports by dependency-cruiser's rules (boundary-rules.ts), and on the same graph what
 * may not be reached through any number of imports: rule 4's Node modules, other owners' writers, a second SQLite.
 */
import { REPOSITORY, reportFindings, type Finding } from './finding.ts';
import { pathTo, readModuleGraph, walkGraph, type Edge, type ModuleGraph } from './module-graph.ts';
import {
  PROGRAMS,
  SEALED_ZONES,
  TEST_FILE,
  UNREACHABLE_NODE_MODULES,
  WAIVERS,
  WRITER_OWNERS,
  ZONE_BY_PACKAGE,
  zoneOfFile,
} from './zones.ts';

const MATCHES_UNREACHABLE = new RegExp(`^node:(${UNREACHABLE_NODE_MODULES.join('|')})(/|$)`);

function isWaived(from: string, { to }: Edge): boolean {
  return WAIVERS.some((waiver) => new RegExp(waiver.from).test(from) && to === `node:${waiver.nodeModule}`);
}

function shorten(path: readonly string[]): string {
  return path.map((step) => step.replace(/^node_modules\/\.pnpm\/.*\/node_modules\//, '')).join(' -> ');
}

function shippedSources(graph: ModuleGraph): string[] {
  return graph.sources.filter((source) => !TEST_FILE.test(source) && zoneOfFile(source) !== 'tests');
}

function findUnreachableModules(graph: ModuleGraph): Finding[] {
  const entries = shippedSources(graph).filter((source) => SEALED_ZONES.includes(zoneOfFile(source) ?? 'pure'));
  const reached = walkGraph(graph, entries, { skip: isWaived });
  return [...reached.keys()]
    .filter((module) => MATCHES_UNREACHABLE.test(module))
    .map((module) => ({
      rule: 'sealed-zones-reach',
      file: pathTo(reached, module)[0] ?? module,
      message: shorten(pathTo(reached, module)),
    }));
}

function findForeignWriters(graph: ModuleGraph): Finding[] {
  return WRITER_OWNERS.flatMap(({ path, packageName }) => {
    const programs = Object.entries(ZONE_BY_PACKAGE).filter(
      ([name, zone]) => name !== packageName && ['analysis', 'privileged', 'network', 'show'].includes(zone),
    );
    return programs.flatMap(([name]) => {
      const reached = walkGraph(
        graph,
        shippedSources(graph).filter((source) => source.startsWith(`packages/${name}/`)),
        {
          skip: (_from, edge) => edge.typeOnly,
        },
      );
      const writer = [...reached.keys()].find((module) => new RegExp(path).test(module));
      return writer === undefined
        ? []
        : [{ rule: 'writer-reach', file: pathTo(reached, writer)[0] ?? writer, message: shorten(pathTo(reached, writer)) }];
    });
  });
}

function findSecondSqlite(graph: ModuleGraph): Finding[] {
  return PROGRAMS.filter(({ entry }) => graph.edges.has(entry)).flatMap(({ entry, never }) => {
    const reached = walkGraph(graph, [entry], { skip: (_from, edge) => edge.typeOnly });
    const found = [...reached.keys()].find((module) => module === never || `/${module}`.includes(`/node_modules/${never}/`));
    return found === undefined ? [] : [{ rule: 'one-sqlite-per-program', file: entry, message: shorten(pathTo(reached, found)) }];
  });
}

function findSourcesWithoutZone(graph: ModuleGraph): Finding[] {
  return graph.sources
    .filter((source) => zoneOfFile(source) === undefined)
    .map((file) => ({ rule: 'package-without-zone', file, message: 'its package is not in scripts/checks/zones.ts' }));
}

/** All findings for the workspace in `root`; throws where the graph cannot be trusted. */
export async function checkBoundaries(root: string): Promise<{ findings: Finding[]; modules: number }> {
  const graph = await readModuleGraph(root);
  const direct = graph.violations.map((violation) => {
    const way = violation.cycle === undefined ? [violation.to] : violation.cycle.map(({ name }) => name);
    return { rule: violation.rule.name, file: violation.from, message: shorten([violation.from, ...way]) };
  });
  return {
    findings: [
      ...direct,
      ...findUnreachableModules(graph),
      ...findForeignWriters(graph),
      ...findSecondSqlite(graph),
      ...findSourcesWithoutZone(graph),
    ],
    modules: graph.sources.length,
  };
}

if (import.meta.main) {
  const { findings, modules } = await checkBoundaries(REPOSITORY);
  console.log(`${String(modules)} source files`);
  reportFindings(findings);
}
