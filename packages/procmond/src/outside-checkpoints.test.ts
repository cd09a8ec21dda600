import type { CheckpointNotice } from '@sentineld/model/audit';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { describe, expect, it } from 'vitest';
import { noticeOf, someSigner } from './fixtures/checkpoints.fixture.ts';
import { contradictionsOf, unexcused, type Witness } from './outside-checkpoints.ts';

const SIGNER = someSigner();
const notice = (epoch: number, treeSize: number, root = 1): CheckpointNotice => noticeOf(epoch, treeSize, { root, signer: SIGNER });

function ledgerWith(sequence: number, newest: CheckpointNotice | null) {
  return {
    head: () => ({ sequence, entryHash: 'ab' }),
    key: () => ({ text: SIGNER.key.text, id: SIGNER.key.id, firstEpoch: 1 }),
    newestCheckpoint: () => newest,
  };
}

const witness = (...notices: readonly CheckpointNotice[]): Witness => ({
  path: '/m',
  checkpoints: notices.map(({ note }, index) => ({ seenMs: index, ...parseCheckpoint(note) })),
});
const problems = (ledger: ReturnType<typeof ledgerWith>, ...notices: readonly CheckpointNotice[]): string[] =>
  contradictionsOf([witness(...notices)], ledger).map(({ problem }) => problem);

describe('what left the ledger', () => {
  it('agrees with a ledger that has it, and with one that went on without telling', () => {
    const newest = notice(3, 30);
    expect(problems(ledgerWith(30, newest), notice(2, 20), newest)).toEqual([]);
    expect(problems(ledgerWith(35, newest), newest)).toEqual([]);
    expect(problems(ledgerWith(35, newest), notice(1, 10))).toEqual([]);
    expect(problems(ledgerWith(35, newest))).toEqual([]);
    expect(problems(ledgerWith(1, null))).toEqual([]);
  });

  it('has more entries than a ledger that was put back, also after that went on', () => {
    const said = [
      'the mirror /m has a checkpoint of epoch 5 with 50 entries, and the ledger ends with epoch 3 and 30 entries: it is older than a checkpoint that left it: was it put back from a backup? then say so with `sentinelcli audit restore`; otherwise it was tampered with',
    ];
    expect(problems(ledgerWith(30, notice(3, 30)), notice(4, 40), notice(5, 50))).toEqual(said);
    expect(problems(ledgerWith(30, notice(3, 30)), notice(5, 50), notice(3, 31))).toEqual(said);
  });

  it('has epochs that a ledger without entries in them lost, or that never closed one', () => {
    expect(problems(ledgerWith(30, notice(3, 30)), notice(4, 30))).toEqual([expect.stringContaining('epoch 4 with 30 entries')]);
    expect(problems(ledgerWith(30, null), notice(4, 30))).toEqual([expect.stringContaining('ends with epoch 0 and 30 entries')]);
  });

  it('has another root of the newest epoch', () => {
    expect(problems(ledgerWith(30, notice(3, 30)), notice(3, 30, 9))).toEqual([
      expect.stringContaining('has another checkpoint of epoch 3 than the ledger: entries were replaced after it was made'),
    ]);
  });

  it('shows that the ledger went back, though it is the larger one by now', () => {
    const ledger = ledgerWith(90, notice(9, 90));
    expect(problems(ledger, notice(5, 50), notice(5, 50), notice(4, 60), notice(9, 90))).toEqual([
      expect.stringContaining('has a checkpoint of epoch 5 with 50 entries, and after it one of epoch 4 with 60: the ledger went back'),
    ]);
    expect(problems(ledger, notice(5, 50), notice(5, 50, 9), notice(9, 90))).toHaveLength(1);
    // One that was written twice, and some that are missing, show nothing.
    expect(problems(ledger, notice(5, 50), notice(5, 50), notice(9, 90))).toEqual([]);
  });

  it('is of another ledger where that was put in the place of this one, unless there is something of both', () => {
    const other = noticeOf(100, 200, { signer: someSigner('sentineld-ledger/other') });
    const ledger = ledgerWith(30, notice(3, 30));
    expect(problems(ledger, other)).toEqual([
      expect.stringContaining('has checkpoints of another ledger alone, sentineld-ledger/other: the ledger that it knows is not here'),
    ]);
    expect([problems(ledger, notice(3, 30), other), problems(ledger, other, notice(3, 30))]).toEqual([[], []]);
    expect(problems(ledger, other, notice(4, 40))).toEqual([expect.stringContaining('epoch 4 with 40 entries')]);
  });

  it('counts for nothing where its signature does not hold, and is believed where its key is not in use any more', () => {
    const forged = notice(9, 90).note.replace('\n90\n', '\n95\n');
    const ledger = ledgerWith(30, notice(3, 30));
    expect(problems(ledger, { ...notice(9, 90), note: forged })).toEqual([]);
    expect(problems(ledger, noticeOf(9, 90, { signer: someSigner() }))).toHaveLength(1);
  });

  it('is told for each witness', () => {
    const ledger = ledgerWith(30, notice(3, 30));
    const found = contradictionsOf(
      [witness(notice(5, 50)), { ...witness(notice(3, 30)), path: '/b' }, { ...witness(notice(6, 60)), path: '/c' }],
      ledger,
    );
    expect(found.map((one) => [one.path, one.epoch, one.treeSize])).toEqual([
      ['/m', 5, 50],
      ['/c', 6, 60],
    ]);
    // A restore that names a checkpoint of at least that epoch explains it.
    expect(unexcused(found, [])).toEqual(found);
    expect(unexcused(found, [notice(5, 50).note])).toEqual(found.slice(1));
    expect(unexcused(found, [notice(4, 40).note, notice(6, 60).note])).toEqual([]);
  });
});
