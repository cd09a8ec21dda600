/**
 * Daemons to be measured: started as `pnpm start` does, in a state directory of their own, on a copy of Node that
 * nothing else on the machine maps.
 */
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProcmondReplySchema } from '@sentineld/model/reply';
import { loadConfig } from '@sentineld/runtime/config/load';
import { statePaths, type StatePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce } from '@sentineld/runtime/ipc/client';
import { daemonAccounts } from '@sentineld/runtime/lifecycle/accounts';
import { makeStateDirs } from '@sentineld/runtime/lifecycle/state-dirs';
import { lastLines, startChild, type Child } from '../start/children.ts';
import type { Run } from './run.ts';

const READY_PATIENCE_MS = 60_000;

export type Site = {
  readonly paths: StatePaths;
  readonly node: string;
  readonly words: readonly string[];
  readonly children: Child[];
  /** Ends what was started, the newest first: what the agent still has to say goes into procmond's ledger. */
  readonly stop: () => Promise<void>;
};

/** A state directory with its settings. */
export function makeSite(run: Run, settings: readonly string[]): Site {
  // Short, for a socket's path has 108 bytes; open, for daemons that give up root.
  const root = mkdtempSync(join(tmpdir(), 'sentineld-bench-'));
  chmodSync(root, 0o755);
  run.scope.defer(() => rmSync(root, { recursive: true, force: true }));
  const node = join(root, 'node');
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  const assignments = [`state_dir=${join(root, 'state')}`, ...settings];
  const { config } = loadConfig({ assignments });
  const paths = statePaths(config.state_dir);
  makeStateDirs(paths, process.getuid?.() === 0 ? daemonAccounts(config) : null);
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.splice(0).toReversed()) await child.stop(5000);
  };
  run.scope.defer(stop);
  return { paths, node, words: ['run', '--supervised', ...assignments.flatMap((one) => ['--set', one])], children, stop };
}

/** With `withTracing` it runs in a namespace of mounts of its own in which tracefs is mounted. */
export function startDaemon(run: Run, site: Site, programs: string, name: string, withTracing: boolean = false): Child {
  const own = process.execPath;
  // What startChild() runs programs with.
  process.execPath = withTracing ? tracingShell(site) : site.node;
  try {
    const child = startChild(name, programs, site.words, site.paths.logDir);
    site.children.push(child);
    run.progress(`${name} ${child.pid} was started`);
    return child;
  } finally {
    process.execPath = own;
  }
}

/** A program that is Node with tracefs mounted; it replaces itself, so the pid is that of Node. */
function tracingShell(site: Site): string {
  const script = `${site.node}-tracing`;
  const command = `mount -t tracefs tracefs /sys/kernel/tracing && exec '${site.node}' "$@"`;
  writeFileSync(script, `#!/bin/sh\nexec unshare -m sh -c '${command.replaceAll("'", String.raw`'\''`)}' sh "$@"\n`, { mode: 0o755 });
  return script;
}

/** procmond, once its first scan is stored. */
export async function startProcmond(run: Run, site: Site, programs: string, withTracing: boolean = false): Promise<Child> {
  const procmond = startDaemon(run, site, programs, 'procmond', withTracing);
  await whenReady(
    procmond,
    site.paths,
    async () => ProcmondReplySchema.parse(await askOnce(site.paths.procmondSocket, { request: 'health' })).lastScan !== null,
  );
  return procmond;
}

export async function whenReady(child: Child, paths: StatePaths, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_PATIENCE_MS;
  for (;;) {
    try {
      if (await isReady()) return;
    } catch (cause) {
      // Until it listens there is nobody to ask.
      if (child.hasEnded() || performance.now() > deadline) {
        throw new Error(`${child.name} does not answer in ${paths.root}:\n${lastLines(child.logFile, 5)}`, { cause });
      }
    }
    if (child.hasEnded() || performance.now() > deadline) throw new Error(`${child.name} is not ready:\n${lastLines(child.logFile, 5)}`);
    await sleep(50);
  }
}
