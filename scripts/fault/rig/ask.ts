/**
 * What the daemons say of themselves, asked over their sockets. Answers are taken for what the product documents; a
 * daemon that does not answer gives null.
 */
import { SentinelError } from '@sentineld/model/error';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce } from '@sentineld/runtime/ipc/client';

export type State = 'ok' | 'degraded' | 'failing';

export type Head = { readonly sequence: number; readonly entryHash: string };

export type ProcmondHealth = {
  readonly pid: number;
  readonly state: State;
  readonly problems: readonly string[];
  readonly scans: number;
  readonly lastScan: { readonly scanId: number; readonly timestampMs: number } | null;
  readonly ledger: Head;
};

export type Cycle = { readonly scanId: number; readonly rules: number; readonly incomplete: number; readonly alerts: number };

export type AgentHealth = {
  readonly pid: number;
  readonly state: State;
  readonly problems: readonly string[];
  readonly procmond: { readonly connected: boolean };
  readonly rules: Readonly<Record<string, number>>;
  readonly lastCycle: Cycle | null;
  readonly skippedScans: number;
  readonly deliveries: { readonly open: number; readonly failedSinceStart: number };
  readonly auditWaiting: number;
};

export type RuleSummary = {
  readonly id: string;
  readonly state: string;
  readonly reason: string | null;
  readonly runs: number;
  readonly hits: number;
  readonly lastOutcome: string | null;
};

const PATIENCE_MS = 1_500;

export function askProcmond(paths: StatePaths): Promise<ProcmondHealth | null> {
  return answerOf<ProcmondHealth>(paths.procmondSocket, { request: 'health' });
}

export function askAgent(paths: StatePaths): Promise<AgentHealth | null> {
  return answerOf<AgentHealth>(paths.agentSocket, { request: 'health' });
}

export async function askRules(paths: StatePaths): Promise<readonly RuleSummary[]> {
  const page = await answerOf<{ readonly rules: readonly RuleSummary[] }>(paths.agentSocket, { request: 'rules', offset: 0 });
  return page?.rules ?? [];
}

async function answerOf<Answer>(path: string, request: Parameters<typeof askOnce>[1]): Promise<Answer | null> {
  try {
    return (await askOnce(path, request, PATIENCE_MS)) as Answer;
  } catch (cause) {
    if (cause instanceof SentinelError) return null;
    throw cause;
  }
}
