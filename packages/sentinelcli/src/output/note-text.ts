/**
 * A signed checkpoint as it may be shown. It has to stay as it is, byte by byte, so what a terminal could act on is not escaped
 * in it but refused.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { parseCheckpoint, type Checkpoint } from '@sentineld/ledger/checkpoint';

/** What a note of procmond says. @throws SentinelError ipc.protocol for what is no checkpoint, or holds what is not to be shown. */
export function readNotice(note: string): Checkpoint {
  const refuse = (why: string): SentinelError =>
    new SentinelError('ipc.protocol', { message: 'procmond answered with what is no checkpoint', why });
  if (note.split('\n').some((line) => displayHostText(line) !== line)) throw refuse('it has characters that are not to be shown');
  try {
    return parseCheckpoint(note).checkpoint;
  } catch (cause) {
    throw cause instanceof SentinelError ? refuse(cause.why) : cause;
  }
}

/** For JSON that commands write. */
export function checkpointJson({ epoch, treeSize, timestampMs, rootHash }: Checkpoint): Readonly<Record<string, unknown>> {
  return { epoch, tree_size: treeSize, timestamp: timestampMs, root: Buffer.from(rootHash).toString('hex') };
}
