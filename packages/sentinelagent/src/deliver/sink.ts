/**
 * What every alert sink offers. A sink that cannot deliver says so; it never throws for what its target does.
 */
import { errnoOf, messageOf } from '@sentineld/model/error';
import type { Alert } from '@sentineld/model/alert';
import type { Config } from '@sentineld/runtime/config/config';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import type { SeenCheckpoint } from './checkpoint-line.ts';

export type Refusal = {
  readonly ok: false;
  readonly error: string;
  /** There is no space for any alert now: this is nobody's attempt, and all that waits for the sink goes on waiting. */
  readonly isFull?: boolean;
};

export type SendResult = { readonly ok: true } | Refusal;

export type OpenSink = {
  readonly send: (alert: Alert) => Promise<SendResult>;
  /** Takes a checkpoint of the ledger, or passes it over where it has told enough of them. */
  readonly note: (seen: SeenCheckpoint) => Promise<SendResult>;
  readonly close: () => void;
};

export type SinkDefinition = {
  readonly name: string;
  readonly summary: string;
  readonly isEnabled: (config: Config) => boolean;
  readonly open: (config: Config, paths: StatePaths) => OpenSink;
};

/** A sink is one file that exports what this returns, and one line in the registry. */
export function defineSink(definition: SinkDefinition): SinkDefinition {
  return definition;
}

/** What writing to a file or a pipe threw. */
export function refusalOf(cause: unknown): Refusal {
  const code = errnoOf(cause);
  return { ok: false, error: messageOf(cause), isFull: code === 'ENOSPC' || code === 'EDQUOT' };
}
