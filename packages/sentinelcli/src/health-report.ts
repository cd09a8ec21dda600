/**
 * The health of an installation, put together from what the daemons say and what their files show. Whatever cannot be
 * learnt is part of the answer, not an error.
 */
import { statSync } from 'node:fs';
import type { LedgerHead } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { Severity } from '@sentineld/model/rule';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { countAlerts, withAgentReader } from './alert-store.ts';
import { askDaemon, type Asked, type Daemon, type Unreached } from './daemons.ts';
import { numberField, recordField, textField, textsField } from './fields.ts';
import { databaseFiles, type DatabaseState } from './databases.ts';

export const HEALTH_STATES = ['ok', 'degraded', 'failing', 'not_running', 'unknown'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

export type ComponentHealth = {
  readonly component: Daemon;
  readonly state: HealthState;
  /** Why it said nothing; null where it did. */
  readonly unreached: Unreached | null;
  readonly problems: readonly string[];
  /** What the daemon said, as it said it; null where it said nothing. */
  readonly details: Readonly<Record<string, unknown>> | null;
};

export type FileHealth = {
  readonly name: string;
  readonly path: string;
  readonly state: DatabaseState;
  /** The file and its write-ahead log. */
  readonly bytes: number | null;
};

export type Health = {
  readonly state: 'ok' | 'degraded' | 'failing';
  readonly components: readonly ComponentHealth[];
  readonly databases: readonly FileHealth[];
  readonly ledgerHead: LedgerHead | null;
  /** Raised within 24 hours; null where the alerts cannot be read, `alertsProblem` says why. */
  readonly alerts: Readonly<Record<Severity, number>> | null;
  readonly alertsProblem: string | null;
  readonly stateDir: string;
};

const DAY_MS = 86_400_000;

/** Asks both daemons at once and looks at the files. `now` in milliseconds since 1970. */
export async function reportHealth(paths: StatePaths, now: number): Promise<Health> {
  const [procmond, agent] = await Promise.all([
    askDaemon('procmond', paths, { request: 'health' }),
    askDaemon('sentinelagent', paths, { request: 'health' }),
  ]);
  const components = [componentOf('procmond', procmond), componentOf('sentinelagent', agent)];
  const isFailing = components.some(({ state }) => state !== 'ok' && state !== 'degraded');
  const state = isFailing ? 'failing' : components.some(({ state }) => state === 'degraded') ? 'degraded' : 'ok';
  const databases = databaseFiles(paths).map(fileOf);
  return { state, components, databases, ledgerHead: ledgerHeadOf(procmond), ...alertsOf(paths, now), stateDir: paths.root };
}

function componentOf(component: Daemon, asked: Asked): ComponentHealth {
  if (!asked.reached) {
    return {
      component,
      state: asked.why === 'absent' ? 'not_running' : 'unknown',
      unreached: asked.why,
      problems: [asked.message],
      details: null,
    };
  }
  const said = textField(asked.body, 'state');
  return {
    component,
    state: HEALTH_STATES.find((state) => state === said) ?? 'unknown',
    unreached: null,
    problems: textsField(asked.body, 'problems'),
    details: asked.body,
  };
}

/** What a running procmond says is the newest entry of the ledger; null where none runs. */
export function ledgerHeadOf(procmond: Asked): LedgerHead | null {
  if (!procmond.reached) return null;
  const ledger = recordField(procmond.body, 'ledger');
  const sequence = numberField(ledger, 'sequence');
  const entryHash = textField(ledger, 'entryHash');
  return sequence === null || entryHash === null ? null : { sequence, entryHash };
}

function fileOf({ file, path, state }: { readonly file: string; readonly path: string; readonly state: DatabaseState }): FileHealth {
  return { name: file, path, state, bytes: sizeOf(path) };
}

function sizeOf(path: string): number | null {
  try {
    const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
    return statSync(path).size + (log?.size ?? 0);
  } catch {
    return null;
  }
}

function alertsOf(paths: StatePaths, now: number): Pick<Health, 'alerts' | 'alertsProblem'> {
  try {
    return { alerts: withAgentReader(paths, (reader) => countAlerts(reader, now - DAY_MS)), alertsProblem: null };
  } catch (cause) {
    if (!(cause instanceof SentinelError)) throw cause;
    return { alerts: null, alertsProblem: cause.code === 'store.unreadable' ? 'not readable for this user' : messageOf(cause) };
  }
}
