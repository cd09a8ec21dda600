import type { CheckpointNotice } from '@sentineld/model/audit';
import { checkpointText } from '@sentineld/ledger/checkpoint';
import { silentLogger, type Logger } from '@sentineld/runtime/log/logger';
import { describe, expect, it } from 'vitest';
import { createCheckpointRelay } from './checkpoint-relay.ts';
import type { SeenCheckpoint } from './deliver/checkpoint-line.ts';
import type { SendResult } from './deliver/sink.ts';

const hash = new Uint8Array(32);

/** Its signature is for those who have the key. */
function notice(epoch: number, treeSize: number, origin = 'sentineld-ledger/a'): CheckpointNotice {
  const told = { epoch, treeSize, timestampMs: 1000 * epoch };
  const text = checkpointText({ ...told, origin, rootHash: hash, chain: hash });
  return { ...told, note: `${text}\n\u2014 ${origin} ${Buffer.alloc(68).toString('base64')}\n` };
}

function create(before: readonly CheckpointNotice[] = []) {
  const kept: [CheckpointNotice, number][] = [];
  const told: SeenCheckpoint[] = [];
  const logged: unknown[] = [];
  const answers: { store: Error | null; bad: () => Promise<SendResult> } = {
    store: null,
    bad: async () => ({ ok: false, error: 'refused' }),
  };
  const log: Logger = {
    ...silentLogger(),
    warn: (fields: unknown, name?: string) => void logged.push([name, fields]),
    error: (fields: unknown, name?: string) => void logged.push([name, fields]),
  };
  const relay = createCheckpointRelay({
    store: {
      recordCheckpoint: (checkpoint, nowMs) => {
        if (answers.store !== null) throw answers.store;
        kept.push([checkpoint, nowMs]);
      },
      newestCheckpoints: (limit) => before.slice(0, limit),
    },
    sinks: new Map([
      ['bad', { note: () => answers.bad() }],
      ['good', { note: async (seen: SeenCheckpoint): Promise<SendResult> => (told.push(seen), { ok: true }) }],
    ]),
    hostName: 'web1',
    clock: () => 77,
    log,
  });
  /** As procmond tells it, and what follows of it. */
  const tell = async (...notices: readonly CheckpointNotice[]): Promise<void> => {
    for (const one of notices) relay.onCheckpoint(one);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { tell, kept, told, logged, answers };
}

describe('checkpoints of the ledger', () => {
  it('are kept, all of them, and handed to the sinks where they say something new', async () => {
    const { tell, kept, told } = create();
    await tell(notice(1, 5), notice(2, 5), notice(3, 6), notice(4, 6));
    expect(kept).toEqual([notice(1, 5), notice(2, 5), notice(3, 6), notice(4, 6)].map((one) => [one, 77]));
    expect(told).toEqual([notice(1, 5), notice(3, 6)].map((checkpoint) => ({ hostName: 'web1', seenMs: 77, checkpoint })));
  });

  it('that were told before this start say nothing new', async () => {
    const { tell, told } = create([notice(4, 6), notice(3, 6)]);
    await tell(notice(4, 6), notice(5, 7));
    expect(told.map(({ checkpoint }) => checkpoint.epoch)).toEqual([5]);
  });

  it('of a ledger that became smaller are in the log', async () => {
    const { tell, told, logged, answers } = create([notice(4, 6)]);
    answers.bad = async () => ({ ok: true });
    await tell(notice(3, 5), notice(4, 6));
    expect(logged).toEqual([['ledger.smaller_than_before', { treeSize: 5, seenBefore: 6 }]]);
    expect(told.map(({ checkpoint }) => checkpoint.treeSize)).toEqual([5, 6]);
  });

  it('of another ledger are something new, and in the log', async () => {
    const { tell, told, logged, answers } = create([notice(4, 6)]);
    answers.bad = async () => ({ ok: true });
    await tell(notice(1, 6, 'sentineld-ledger/b'));
    expect(logged).toEqual([['ledger.is_another', { origin: 'sentineld-ledger/b', seenBefore: 'sentineld-ledger/a' }]]);
    expect(told).toHaveLength(1);
  });

  it('that are told otherwise than their note says are not taken', async () => {
    const { tell, told, kept, logged } = create();
    const one = notice(1, 5);
    await tell({ ...one, treeSize: 6 }, { ...one, epoch: 2 }, { ...one, timestampMs: 1 }, { ...one, note: 'none' });
    expect([told, kept]).toEqual([[], []]);
    expect(logged).toEqual([['checkpoint.not_kept', { where: 'procmond', error: expect.stringContaining('not what the note says') }]]);
  });

  it('that a sink or the store does not take are missed there, with one line in the log for as long as that lasts', async () => {
    const { tell, told, kept, logged, answers } = create();
    answers.store = new Error('disk is full');
    await tell(notice(1, 5), notice(2, 6));
    answers.bad = async () => Promise.reject(new Error('broken'));
    await tell(notice(3, 7));
    expect([kept.length, told.length]).toEqual([0, 3]);
    expect(logged).toEqual([
      ['checkpoint.not_kept', { where: 'store', error: 'disk is full' }],
      ['checkpoint.not_kept', { where: 'bad', error: 'refused' }],
    ]);
    answers.store = null;
    answers.bad = async () => ({ ok: true });
    await tell(notice(4, 8));
    answers.store = new Error('again');
    await tell(notice(5, 9));
    expect([kept.length, logged.length]).toEqual([1, 3]);
  });
});
