/**
 * Keeps the checkpoints that procmond tells of, and hands those with something new to the sinks. None of it is waited for
 * and none is tried again: the next checkpoint says all that this one says.
 */
import type { CheckpointNotice } from '@sentineld/model/audit';
import { parseCheckpoint, type Checkpoint } from '@sentineld/ledger/checkpoint';
import { messageOf } from '@sentineld/model/error';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter } from '@sentineld/store/agent/writer';
import type { SeenCheckpoint } from './deliver/checkpoint-line.ts';
import type { OpenSink } from './deliver/sink.ts';

export type RelayOptions = {
  readonly store: Pick<AgentWriter, 'recordCheckpoint' | 'newestCheckpoints'>;
  readonly sinks: ReadonlyMap<string, Pick<OpenSink, 'note'>>;
  readonly hostName: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly log: Logger;
};

export type CheckpointRelay = { readonly onCheckpoint: (checkpoint: CheckpointNotice) => void };

export function createCheckpointRelay({ store, sinks, hostName, clock, log }: RelayOptions): CheckpointRelay {
  const complaints = complainOnce(log);
  let before = saidBy(store.newestCheckpoints(1).at(0));
  return {
    onCheckpoint: (checkpoint) => {
      const said = saidBy(checkpoint);
      if (said === null) return complaints.about('procmond', 'what it tells of a checkpoint is not what the note says');
      warnOfLess(before, said, log);
      try {
        store.recordCheckpoint(checkpoint, clock());
        complaints.over('store');
      } catch (cause) {
        complaints.about('store', messageOf(cause));
      }
      // An epoch without entries says again what the one before said.
      if (said.treeSize === before?.treeSize && said.origin === before.origin) return undefined;
      before = said;
      return hand({ hostName, seenMs: clock(), checkpoint }, sinks, complaints);
    },
  };
}

function hand(seen: SeenCheckpoint, sinks: RelayOptions['sinks'], complaints: Complaints): void {
  for (const [name, sink] of sinks) {
    void sink.note(seen).then(
      (result) => (result.ok ? complaints.over(name) : complaints.about(name, result.error)),
      (cause: unknown) => complaints.about(name, messageOf(cause)),
    );
  }
}

/** What the note says, where that is what was told; the note alone can be shown to others. */
function saidBy(notice: CheckpointNotice | undefined): Checkpoint | null {
  if (notice === undefined) return null;
  try {
    const { checkpoint } = parseCheckpoint(notice.note);
    const isSame =
      checkpoint.epoch === notice.epoch && checkpoint.treeSize === notice.treeSize && checkpoint.timestampMs === notice.timestampMs;
    return isSame ? checkpoint : null;
  } catch {
    return null;
  }
}

/** A ledger never has less than it had; whether a restore explains it, `audit verify` says. */
function warnOfLess(before: Checkpoint | null, said: Checkpoint, log: Logger): void {
  if (before === null) return;
  if (said.origin !== before.origin) log.error({ origin: said.origin, seenBefore: before.origin }, 'ledger.is_another');
  else if (said.treeSize < before.treeSize)
    log.error({ treeSize: said.treeSize, seenBefore: before.treeSize }, 'ledger.smaller_than_before');
}

type Complaints = ReturnType<typeof complainOnce>;

/** One line of the log for as long as a failure lasts. */
function complainOnce(log: Logger) {
  const failing = new Set<string>();
  return {
    about: (where: string, error: string): void => {
      if (!failing.has(where)) log.warn({ where, error }, 'checkpoint.not_kept');
      failing.add(where);
    },
    over: (where: string): void => void failing.delete(where),
  };
}
