/**
 * The zones as dependency-cruiser rules for single imports, and its options for this workspace. What may be
 * reached through several imports is checked in boundaries.ts, on the graph that these options give.
 */
import type { ICruiseOptions, IForbiddenRuleType } from 'dependency-cruiser';
import { LIMITS, ROOMS, TEST_FILE, WRITER_OWNERS, packagesOfZones, type Zone, type ZoneLimits } from './zones.ts';

const NOT_SHIPPED = [TEST_FILE.source, '^packages/testing/'];

function forbid(name: string, comment: string, rule: Pick<IForbiddenRuleType & { to: object }, 'from' | 'to'>): IForbiddenRuleType {
  return { name, comment, severity: 'error', ...rule };
}

function oneOf(names: readonly string[]): string {
  return `(${names.join('|')})`;
}

function zoneEntries(): [Zone, ZoneLimits, string[]][] {
  return Object.entries(LIMITS).map(([zone, limits]) => [zone as Zone, limits, packagesOfZones([zone as Zone])]);
}

function zoneImportRules(): IForbiddenRuleType[] {
  return zoneEntries().map(([zone, limits, packages]) =>
    forbid(`zone-${zone}-imports`, `${zone} may import ${limits.zones.join(', ')}`, {
      from: { path: `^packages/(${packages.join('|')})/`, pathNot: TEST_FILE.source },
      to: { path: '^packages/', pathNot: [`^packages/${oneOf(packagesOfZones(limits.zones))}/`, '^packages/$1/'] },
    }),
  );
}

function nodeModuleRules(): IForbiddenRuleType[] {
  return zoneEntries().flatMap(([zone, limits, packages]) => {
    const allowed = limits.nodeModules;
    if (allowed === 'any') return [];
    const rooms = ROOMS.filter((room) => packages.includes(room.packageName));
    const name = `zone-${zone}-node-modules`;
    const rule = (from: { path: string; pathNot: string[] }, modules: readonly string[]): IForbiddenRuleType =>
      forbid(name, modules.length === 0 ? 'no Node modules here' : `only ${modules.join(', ')} here`, {
        from,
        to: {
          dependencyTypes: ['core', 'process-get-builtin-module'],
          ...(modules.length === 0 ? {} : { pathNot: `^(node:)?${oneOf(modules)}(/|$)` }),
        },
      });
    return [
      rule({ path: `^packages/${oneOf(packages)}/`, pathNot: [TEST_FILE.source, ...rooms.map((room) => room.path)] }, allowed),
      ...rooms.map((room) => rule({ path: room.path, pathNot: [TEST_FILE.source] }, [...allowed, ...room.nodeModules])),
    ];
  });
}

function writerRules(): IForbiddenRuleType[] {
  const owners = WRITER_OWNERS.map(({ path, packageName }) =>
    forbid('writer-owner', `only ${packageName} writes there`, {
      from: { path: '^packages/', pathNot: [...NOT_SHIPPED, '^packages/store/', `^packages/${packageName}/`] },
      to: { path },
    }),
  );
  const siblings = forbid('writer-owner', 'inside store only the files of the same folder import a writer', {
    from: { path: '^packages/store/src/([^/]+)', pathNot: NOT_SHIPPED },
    to: { path: '^packages/store/src/[^/]+/writer', pathNot: '^packages/store/src/$1/' },
  });
  return [...owners, siblings];
}

const STAGES = '^packages/sentinelagent/src/(detect|decide|deliver)/';

function structureRules(): IForbiddenRuleType[] {
  return [
    forbid('sqlite-only-in-store', 'databases are opened in store only', {
      from: { path: '^packages/', pathNot: [...NOT_SHIPPED, '^packages/store/'] },
      to: { path: ['^node:sqlite$', '(^|/)node_modules/better-sqlite3/'] },
    }),
    forbid('stages-apart', 'only pipeline.ts knows the order of the stages', {
      from: { path: STAGES, pathNot: TEST_FILE.source },
      to: { path: STAGES, pathNot: '^packages/sentinelagent/src/$1/' },
    }),
    forbid('stages-below-pipeline', 'a stage does not know the pipeline it is part of', {
      from: { path: STAGES, pathNot: TEST_FILE.source },
      to: { path: '^packages/sentinelagent/src/(pipeline|main)\\.ts$' },
    }),
    forbid('no-cycle', 'no cycles, not even of types', {
      from: { path: '^packages/' },
      to: { circular: true, viaOnly: { path: '^packages/' } },
    }),
    forbid('shipped-not-testing', 'shipped code imports no tests, fakes or scripts', {
      from: { path: '^packages/', pathNot: NOT_SHIPPED },
      to: { path: ['^packages/testing/', TEST_FILE.source, '^scripts/'] },
    }),
    forbid('shipped-no-dev-packages', 'shipped code imports no package of devDependencies', {
      from: { path: '^packages/', pathNot: NOT_SHIPPED },
      to: { path: '(^|/)node_modules/(vitest|fast-check|@vitest)/' },
    }),
    forbid('resolves', 'every import resolves', { from: { path: '^packages/' }, to: { couldNotResolve: true } }),
    forbid('resolves-to-source', 'workspace imports resolve to TypeScript, never to what was built', {
      from: { path: '^packages/' },
      to: { path: '^packages/[^/]+/(?!src/)' },
    }),
  ];
}

export const BOUNDARY_RULES: IForbiddenRuleType[] = [...zoneImportRules(), ...nodeModuleRules(), ...writerRules(), ...structureRules()];

export const CRUISE_OPTIONS = {
  tsPreCompilationDeps: true,
  detectProcessBuiltinModuleCalls: true,
  // Development tools are large and ship nowhere: tests import them, nothing is learnt by reading them.
  doNotFollow: { path: '(^|/)node_modules/(vitest|@vitest|vite|fast-check|typescript|@typescript)/' },
  enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['sentineld-source', 'import', 'require', 'node', 'default'] },
} as const satisfies ICruiseOptions;
