/**
 * The zones of docs/ARCHITECTURE.md as tables: which package lies in which zone, which zones it may import, and
 * which Node modules. Everything that checks a boundary reads these tables, so a boundary is moved here and only here.
 */

export const ZONE_BY_PACKAGE = {
  model: 'pure',
  native: 'native',
  runtime: 'disk',
  ledger: 'disk',
  store: 'disk',
  detection: 'analysis',
  procmond: 'privileged',
  sentinelagent: 'network',
  sentinelcli: 'show',
  testing: 'tests',
} as const satisfies Readonly<Record<string, Zone>>;

export type Zone = 'pure' | 'native' | 'disk' | 'analysis' | 'privileged' | 'network' | 'show' | 'tests';
export type ZoneLimits = {
  /** Zones that may be imported besides the package itself. */
  readonly zones: readonly Zone[];
  /** Node modules without `node:`; a name covers its subpaths (`fs` covers `fs/promises`). */
  readonly nodeModules: readonly string[] | 'any';
};

const DISK_MODULES = ['fs', 'path', 'os', 'crypto', 'url', 'process'] as const;

/** The zone `tests` is missing: it may import anything. */
export const LIMITS: Readonly<Record<Exclude<Zone, 'tests'>, ZoneLimits>> = {
  pure: { zones: ['pure'], nodeModules: [] },
  native: { zones: ['pure', 'native'], nodeModules: ['fs', 'path', 'os', 'url', 'process'] },
  disk: { zones: ['pure', 'disk', 'native'], nodeModules: DISK_MODULES },
  analysis: { zones: ['pure', 'disk'], nodeModules: DISK_MODULES },
  privileged: { zones: ['pure', 'disk', 'native'], nodeModules: [...DISK_MODULES, 'util'] },
  network: { zones: ['pure', 'disk', 'analysis'], nodeModules: 'any' },
  show: { zones: ['pure', 'disk', 'analysis'], nodeModules: ['fs', 'path', 'tty', 'readline', 'url', 'util', 'os', 'crypto', 'process'] },
};

export type Room = {
  /** Regular expression over the path from the repository's root. */
  readonly path: string;
  readonly packageName: keyof typeof ZONE_BY_PACKAGE;
  /** Node modules allowed there and nowhere else in the zone. */
  readonly nodeModules: readonly string[];
  readonly why: string;
};

/** Files that may use a Node module the rest of their zone may not. */
export const ROOMS: readonly Room[] = [
  { path: '^packages/runtime/src/ipc/', packageName: 'runtime', nodeModules: ['net'], why: 'Unix sockets' },
  { path: '^packages/runtime/src/lifecycle/node-flags\\.ts$', packageName: 'runtime', nodeModules: ['v8'], why: 'how V8 uses memory' },
  { path: '^packages/store/src/', packageName: 'store', nodeModules: ['sqlite'], why: 'the only package that opens a database' },
  {
    path: '^packages/detection/src/sql/(executor-client|spawner-main)\\.ts$',
    packageName: 'detection',
    nodeModules: ['child_process'],
    why: 'starts and kills SQL executors',
  },
  {
    path: '^packages/procmond/src/hash-worker[^/]*(/|\\.ts$)',
    packageName: 'procmond',
    nodeModules: ['worker_threads'],
    why: 'hashes executables off the collecting thread',
  },
  {
    path: '^packages/procmond/src/sources/(macos|windows)-[^/]*\\.ts$',
    packageName: 'procmond',
    nodeModules: ['child_process'],
    why: 'systems without /proc',
  },
];

/** Zones from which rule 4's Node modules must be out of reach, directly and through anything they import. */
export const SEALED_ZONES: readonly Zone[] = ['pure', 'native', 'disk', 'privileged'];

/** Rule 4: what no sealed zone may reach. */
export const UNREACHABLE_NODE_MODULES = [
  'tls',
  'http',
  'https',
  'http2',
  'dgram',
  'dns',
  'inspector',
  'cluster',
  'vm',
  'repl',
  'worker_threads',
  'child_process',
] as const;

export type Waiver = { readonly from: string; readonly nodeModule: string; readonly why: string };

/** Single imports that rule 4 overlooks. Each names the importing files, the one module, and the reason. */
export const WAIVERS: readonly Waiver[] = [
  ...ROOMS.flatMap((room) => room.nodeModules.map((nodeModule) => ({ from: room.path, nodeModule, why: room.why }))),
  ...['child_process', 'http', 'https'].map((nodeModule) => ({
    from: '(^|/)node_modules/(ps-list|systeminformation)/',
    nodeModule,
    why: 'list processes of macOS and Windows; loaded there alone, and left out of programs for Linux',
  })),
  {
    from: '(^|/)node_modules/(pino|thread-stream)/',
    nodeModule: 'worker_threads',
    why: 'pino asks isMainThread; its worker transports are never configured (forbidden-calls: pino-transport)',
  },
];

/** Writers and the one package that may import them, besides their own folder. */
export const WRITER_OWNERS = [
  { path: '^packages/store/src/(events|ledger)/writer', packageName: 'procmond' },
  { path: '^packages/store/src/agent/writer', packageName: 'sentinelagent' },
] as const;

/** Programs and the SQLite each must never load: two in one process drop each other's POSIX locks. */
export const PROGRAMS = [
  { entry: 'packages/procmond/src/main.ts', never: 'node:sqlite' },
  { entry: 'packages/sentinelagent/src/main.ts', never: 'node:sqlite' },
  { entry: 'packages/sentinelcli/src/main.ts', never: 'better-sqlite3' },
  { entry: 'packages/detection/src/sql/spawner-main.ts', never: 'better-sqlite3' },
  { entry: 'packages/detection/src/sql/executor-main.ts', never: 'better-sqlite3' },
] as const;

/** Files beside the code that are not shipped, and what tests start from fixtures/: they may import anything. */
export const TEST_FILE = /\.(test|bench)\.ts$|\/fixtures\//;

export function zoneOfFile(path: string): Zone | undefined {
  const name = /^packages\/([^/]+)\//.exec(path)?.[1];
  return name !== undefined && name in ZONE_BY_PACKAGE ? ZONE_BY_PACKAGE[name as keyof typeof ZONE_BY_PACKAGE] : undefined;
}

export function packagesOfZones(zones: readonly Zone[]): string[] {
  return Object.entries(ZONE_BY_PACKAGE).flatMap(([name, zone]) => (zones.includes(zone) ? [name] : []));
}
