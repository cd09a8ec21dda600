import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULTS, type Config } from '@sentineld/runtime/config/config';
import { statePaths } from '@sentineld/runtime/config/state-dir';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakes, type Fakes } from './fixtures/fakes.fixture.ts';
import { keepLedger, type CheckpointEvent, type LedgerKeeper } from './ledger-keeper.ts';
import { readMirror } from './mirror-file.ts';

let directory = '';
let mirror = '';
const open: LedgerKeeper[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-keeper-'));
  mirror = join(directory, 'mirror');
});
afterEach(() => {
  for (const keeper of open.splice(0)) {
    keeper.stop();
    keeper.ledger.stop();
  }
  rmSync(directory, { recursive: true });
});

type Kept = { readonly keeper: LedgerKeeper; readonly published: CheckpointEvent[]; readonly fakes: Fakes };

/** The ledger of a state directory of this name. */
function keep(name = 'state', changes: Partial<Config['ledger']> = {}, publish?: () => void): Kept {
  const paths = statePaths(join(directory, name));
  mkdirSync(paths.ledgerDir, { recursive: true });
  const published: CheckpointEvent[] = [];
  const fakes = createFakes();
  const keeper = keepLedger({
    config: { ...DEFAULTS.ledger, mirror: [mirror], ...changes },
    intervalMs: () => 60_000,
    paths,
    hostId: 'H',
    log: fakes.log,
    publish: publish ?? ((event) => published.push(event)),
  });
  open.push(keeper);
  return { keeper, published, fakes };
}

function record({ keeper }: Kept, entries = 1): void {
  for (let i = 0; i < entries; i++) keeper.ledger.append('procmond', [{ action: 'loop_stall', data: { i } }]);
}

/** Ends this run, without which nobody could copy its files. */
function end({ keeper }: Kept): void {
  keeper.stop();
  expect(keeper.ledger.stop()).toBe(true);
}

const sizes = (): number[] => readMirror(mirror).map(({ checkpoint }) => checkpoint.treeSize);

describe('a ledger that is kept', () => {
  it('closes an epoch at the start and at the end, tells of each and copies those with entries', () => {
    const kept = keep();
    expect(kept.keeper.health()).toMatchObject({ sequence: 1, checkpoint: null, pending: 0, mirrors: [{ treeSize: null, failure: null }] });
    kept.keeper.start();
    record(kept, 2);
    end(kept);
    expect(kept.published.map(({ checkpoint }) => [checkpoint.epoch, checkpoint.treeSize])).toEqual([
      [1, 1],
      [2, 3],
    ]);
    expect(sizes()).toEqual([1, 3]);
    const { keeper } = kept;
    expect(keeper.health()).toEqual({
      ...keeper.ledger.head(),
      keyId: keeper.ledger.key().id,
      checkpoint: { epoch: 2, treeSize: 3, timestampMs: kept.published[1]?.checkpoint.timestampMs },
      mirrors: [{ path: mirror, treeSize: 3, failure: null }],
      pending: 0,
    });
    expect(keeper.problems()).toEqual({ failures: [], degradations: [] });
  });

  it('closes an epoch when it has as many entries as are configured, and signs them where that is', () => {
    const kept = keep('state', { checkpoint_entries: 2, sign_entries: true });
    record(kept, 4);
    expect(kept.published.map(({ checkpoint }) => checkpoint.treeSize)).toEqual([2, 4]);
  });

  it('closes one when asked, and not again and again where nothing happened', () => {
    const kept = keep();
    const epochs = [1, 2, 3].map(() => kept.keeper.checkpoint().epoch);
    record(kept);
    expect([...epochs, kept.keeper.checkpoint().epoch]).toEqual([1, 1, 1, 2]);
  });

  it('goes on where nobody can be told, and where a mirror fails, and says so', () => {
    const kept = keep('state', { mirror: [join(directory, 'none', 'mirror')] }, () => {
      throw new Error('no listener');
    });
    kept.keeper.start();
    record(kept);
    expect(kept.keeper.checkpoint().treeSize).toBe(2);
    expect(kept.fakes.logged.map(({ name }) => name)).toEqual(['mirror.failed', 'checkpoint.untold', 'checkpoint.untold']);
    expect(kept.keeper.problems()).toEqual({
      failures: [],
      degradations: [expect.stringMatching(/none\/mirror takes no checkpoints: ENOENT since/)],
    });
  });
});

describe('a ledger that was put back from a backup', () => {
  /** The state as it was before five more entries. */
  const putBack = (): Kept => {
    const first = keep();
    first.keeper.start();
    end(first);
    cpSync(join(directory, 'state'), join(directory, 'backup'), { recursive: true });
    const second = keep();
    record(second, 5);
    end(second);
    return keep('backup');
  };

  it('is said to be older than what left it, and goes on', () => {
    const old = putBack();
    const { failures } = old.keeper.problems();
    expect(failures).toEqual([
      expect.stringContaining(`the mirror ${mirror} has a checkpoint of epoch 3 with 6 entries, and the ledger ends with`),
    ]);
    expect(old.fakes.logged).toEqual([{ level: 'error', name: 'ledger.contradicted', fields: { problem: failures[0] } }]);
    record(old, 9);
    old.keeper.start();
    expect(old.keeper.problems().failures).toEqual(failures);
    expect(sizes().at(-1)).toBe(10);
    end(old);
    // What it went on with hides nothing at the next start, though the ledger is larger by then.
    expect(keep('backup').keeper.problems().failures).toEqual([
      expect.stringContaining('has a checkpoint of epoch 3 with 6 entries, and after it one of epoch 3 with 10: the ledger went back'),
    ]);
  });

  it('is no problem any more once that was said, also at the next start', () => {
    const old = putBack();
    const notes = readMirror(mirror).map(({ checkpoint }) => checkpoint.note);
    expect(() => old.keeper.restore({ reason: 'disk', uid: 0, notes: ['x'] })).toThrow(expect.objectContaining({ code: 'ledger.input' }));
    expect(old.keeper.problems().failures).toHaveLength(1);
    expect(old.keeper.restore({ reason: 'disk', uid: 0, notes })).toEqual({ sequence: 2 });
    expect(old.keeper.problems().failures).toEqual([]);
    // The mirror is begun anew; what it had is kept beside it.
    expect([sizes(), readMirror(`${mirror}.1`).map(({ checkpoint }) => checkpoint.treeSize)]).toEqual([[2], [1, 6]]);
    end(old);
    expect(keep('backup').keeper.problems().failures).toEqual([]);
  });

  it('says where the mirror cannot be begun anew', () => {
    const old = putBack();
    const notes = readMirror(mirror).map(({ checkpoint }) => checkpoint.note);
    mkdirSync(`${mirror}.1`);
    old.keeper.restore({ reason: 'disk', uid: 0, notes });
    expect(old.fakes.logged).toContainEqual({
      level: 'warn',
      name: 'mirror.not_renamed',
      fields: { path: mirror, errno: 'EISDIR', error: 'it is a directory, not a file' },
    });
    expect(sizes()).toEqual([1, 6, 2]);
  });
});
