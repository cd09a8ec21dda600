/**
 * Verifies a ledger in its database: from the beginning, from the seal where older entries were archived, or a part of
 * it; up to the newest entry and checkpoint there were when it began.
 */
import type { DatabaseSync } from 'node:sqlite';
import { SentinelError } from '@sentineld/model/error';
import { CHAIN_START } from '@sentineld/ledger/chain';
import type { CheckpointRow, LedgerSeal, LedgerStart } from '@sentineld/ledger/ledger-row';
import { emptyRange } from '@sentineld/ledger/merkle';
import { verifyLedger, type LedgerSource, type LedgerVerification, type VerifyOptions } from '@sentineld/ledger/verify';
import { checkpointFeed } from '@sentineld/ledger/walk-feed';
import { feedPages, type PageChecker } from './read-pages.ts';
import { partOf, type LedgerPart, type LedgerRange } from './read-part.ts';
import { checkpointOfEpoch, hasLedgerTable, orCorrupt, readCheckpoints, readSeal, type LedgerSchemaName } from './read-rows.ts';

export type VerifyFileOptions = VerifyOptions & {
  readonly schema?: LedgerSchemaName;
  /** Only the entries of these numbers, from the checkpoint before the first to the one after the last. */
  readonly part?: LedgerPart;
  /** Checks whole pages; null or left out, everything goes entry by entry. */
  readonly checker?: PageChecker | null;
  /** Told every thousand entries or so: the newest that was verified. */
  readonly step?: (sequence: number) => void;
};

/** An archive that is made meanwhile moves the beginning: then all begins again. */
const MOST_ATTEMPTS = 3;

/**
 * Verifies by the rules of docs/ledger-format.md.
 * @throws SentinelError store.corrupt where SQLite cannot read the file; usage.invalid for a part that is not there.
 */
export function verifyLedgerFile(db: DatabaseSync, options: VerifyFileOptions = {}): LedgerVerification {
  const schema = options.schema ?? 'main';
  for (let attempt = 1; ; attempt++) {
    const before = sealedThrough(db, schema);
    const result = verifyOnce(db, schema, options);
    if (attempt === MOST_ATTEMPTS || before === sealedThrough(db, schema)) return result;
  }
}

function verifyOnce(db: DatabaseSync, schema: LedgerSchemaName, options: VerifyFileOptions): LedgerVerification {
  return verifyLedger(sourceOf(db, schema, options), options);
}

function sourceOf(
  db: DatabaseSync,
  schema: LedgerSchemaName,
  { part, checker = null, step = () => undefined }: VerifyFileOptions,
): LedgerSource {
  const newest = newestOf(db, schema);
  const seal = sealOf(db, schema);
  if (seal instanceof SentinelError) return brokenSource(seal);
  const whole: LedgerRange = { start: seal ?? BEGINNING, anchor: null, seal, lastSequence: newest.sequence, lastEpoch: newest.epoch };
  const range = part === undefined ? { ...whole, anchor: anchorOf(db, schema, seal) } : partOf(db, schema, part, whole);
  const { start, anchor, lastSequence, lastEpoch } = range;
  const rows = readCheckpoints(db, { schema, throughEpoch: lastEpoch, ...(start.epoch === 0 ? {} : { afterEpoch: start.epoch }) });
  return {
    start,
    anchor,
    seal: range.seal,
    isToEnd: lastSequence >= newest.sequence,
    feed: (walk) =>
      feedPages(walk, {
        db,
        schema,
        isPart: range.seal === null && start.sequence > 0,
        lastSequence,
        checkpoints: checkpointFeed(rows),
        checker,
        step,
      }),
  };
}

const BEGINNING: LedgerStart = { ...CHAIN_START, range: emptyRange(), epoch: 0, ledgerId: null, keys: [], isSigned: false };

/** In one statement: a checkpoint is not newer than the newest entry then. */
function newestOf(db: DatabaseSync, schema: LedgerSchemaName): { readonly sequence: number; readonly epoch: number } {
  const epoch = hasLedgerTable(db, schema, 'audit_checkpoint') ? `(SELECT max(epoch) FROM ${schema}.audit_checkpoint)` : '0';
  const row = orCorrupt(() => {
    const statement = db.prepare(`SELECT (SELECT max(sequence) FROM ${schema}.audit_ledger) AS sequence, ${epoch} AS epoch`);
    statement.setReadBigInts(true);
    return statement.get();
  });
  return { sequence: Number(row?.['sequence'] ?? 0), epoch: Number(row?.['epoch'] ?? 0) };
}

function sealOf(db: DatabaseSync, schema: LedgerSchemaName): LedgerSeal | null | SentinelError {
  try {
    return readSeal(db, schema);
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'ledger.broken') return thrown;
    throw thrown;
  }
}

function anchorOf(db: DatabaseSync, schema: LedgerSchemaName, seal: LedgerSeal | null): CheckpointRow | null {
  return seal === null ? null : checkpointOfEpoch(db, seal.epoch, schema);
}

/** A seal that cannot be read is a finding like a row that cannot be read. */
function brokenSource(seal: SentinelError): LedgerSource {
  const { sequence, why } = seal.context;
  const failure = { sequence: Number(sequence), what: 'seal', why: String(why) } as const;
  return { start: BEGINNING, anchor: null, seal: null, isToEnd: true, feed: () => failure };
}

function sealedThrough(db: DatabaseSync, schema: LedgerSchemaName): number {
  if (!hasLedgerTable(db, schema, 'audit_seal')) return 0;
  return orCorrupt(() => Number(db.prepare(`SELECT max(sequence) AS sequence FROM ${schema}.audit_seal`).get()?.['sequence'] ?? 0));
}
