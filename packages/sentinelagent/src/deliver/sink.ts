/**
 * What every alert sink offers. A sink that cannot deliver says so; it never throws for what its target does.
 */
import type { Alert } from '@sentineld/model/alert';
import type { Config } from '@sentineld/runtime/config/config';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';

export type SendResult = { readonly ok: true } | { readonly ok: false; readonly error: string };

export type OpenSink = {
  readonly send: (alert: Alert) => Promise<SendResult>;
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
