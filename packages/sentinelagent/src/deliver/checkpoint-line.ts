/**
 * A checkpoint of the ledger as sinks write it: a JSON document, or a line for people.
 */
import type { CheckpointNotice } from '@sentineld/model/audit';
import { displayHostText } from '@sentineld/model/host-text';

/** A checkpoint that procmond told of. Where alerts are kept, it is out of reach of whoever changes the ledger. */
export type SeenCheckpoint = {
  readonly hostName: string;
  /** Milliseconds since 1970: when it was told. */
  readonly seenMs: number;
  readonly checkpoint: CheckpointNotice;
};

/** Among alerts it is told by `event_type`, which these do not have. */
export function checkpointDocument({ hostName, seenMs, checkpoint }: SeenCheckpoint): Readonly<Record<string, unknown>> {
  const { epoch, treeSize, timestampMs, note } = checkpoint;
  return {
    version: 1,
    event_type: 'ledger.checkpoint',
    time: timeText(timestampMs),
    seen: timeText(seenMs),
    host: { name: hostName },
    epoch,
    tree_size: treeSize,
    note,
  };
}

/** One line, ending with a newline. */
export function checkpointText({ hostName, checkpoint: { epoch, treeSize, timestampMs } }: SeenCheckpoint): string {
  const time = timeText(timestampMs).slice(0, 19).replace('T', ' ');
  return `${time}Z  CHECKPOINT  ledger of ${displayHostText(hostName)}: ${treeSize} entries, epoch ${epoch}\n`;
}

/** The clock of the host may stand anywhere: what no date can say is said as the last that one can. */
function timeText(ms: number): string {
  return new Date(Math.min(ms, 8.64e15)).toISOString();
}
