/**
 * Opens or creates ledger.db and its key for the one writer.
 */
import { randomUUID } from 'node:crypto';
import { SentinelError } from '@sentineld/model/error';
import { originOf } from '@sentineld/ledger/checkpoint';
import { readMetadata, writeMetadata } from '../migrations/system-metadata.ts';
import { type WriterDatabase, leaveOpen, openWriter, storeErrorFrom } from '../open.ts';
import { type FoundKey, addFirstEntry, addKeyEntry, findKey } from './key-entries.ts';
import { type KeyDirectory, openKeyDirectory } from './key-file.ts';
import { type LedgerFile, prepareLedgerFile } from './ledger-file.ts';
import { type LedgerState, type LedgerTransaction, startTransaction } from './ledger-state.ts';
import { LEDGER_MIGRATIONS } from './migrations.ts';
import { readLedger } from './opening.ts';
import { rewriteLog } from './rewrite-log.ts';
import { LEDGER_BEGINNING, readSealRow } from './seal-row.ts';
import type { LedgerWriterOptions } from './writer-contract.ts';

export type OpenLedger = { readonly file: LedgerFile; readonly state: LedgerState; readonly keys: KeyDirectory };

type OpenOptions = Pick<LedgerWriterOptions, 'path' | 'hostId' | 'clock' | 'keyDir' | 'signEntries'>;

/** Little is ever read back here. */
const CACHE_KIB = 512;

/** @throws SentinelError ledger.broken naming the entry, state.unusable and ledger.input for the key, or what openWriter throws. */
export function openLedger(options: OpenOptions): OpenLedger {
  const { path, clock, keyDir } = options;
  rewriteLog(path);
  const db = openWriter({ path, durability: 'full', cacheKiB: CACHE_KIB, migrations: LEDGER_MIGRATIONS, clock });
  try {
    const file = prepareLedgerFile(db);
    const keys = openKeyDirectory(keyDir);
    const ledgerId = readMetadata(db, 'ledger_id');
    const state = ledgerId === undefined ? createLedger(file, keys, options) : goOn(file, keys, ledgerId, options);
    return { file, state, keys };
  } catch (thrown) {
    // Closing would remove the WAL, and with it the auditors' means to read what is broken.
    leaveOpen(db);
    throw storeErrorFrom(thrown, path);
  }
}

/** The first entry and the id are written in one transaction: an id without entries means that they were removed. */
function createLedger(file: LedgerFile, keys: KeyDirectory, options: OpenOptions): LedgerState {
  const ledgerId = randomUUID();
  const { hostId } = options;
  const found = findKey(keys, ledgerId, null);
  const { sequence, entryHash, range } = LEDGER_BEGINNING;
  const start = { ledgerId, hostId, position: { sequence, entryHash }, range, newest: null, keys: [], signer: found.signer };
  const state = write(file, start, options, (transaction) => {
    writeMetadata(file.db, 'ledger_id', ledgerId, transaction.nowMs);
    writeMetadata(file.db, 'host_id', hostId, transaction.nowMs);
    addFirstEntry(transaction, start);
  });
  if (found.isNext) keys.install();
  return state;
}

function goOn(file: LedgerFile, keys: KeyDirectory, ledgerId: string, options: OpenOptions): LedgerState {
  requireOriginName(file.db, ledgerId);
  const read = readLedger(file.db, readSealRow(file.db) ?? LEDGER_BEGINNING, ledgerId);
  const found = findKey(keys, ledgerId, read.keys.at(-1)?.key ?? null);
  const hostId = readMetadata(file.db, 'host_id') ?? options.hostId;
  const start = { ...read, ledgerId, hostId, signer: found.signer };
  return found.announce === null ? start : announceKeyOf(file, keys, start, found, options);
}

function announceKeyOf(file: LedgerFile, keys: KeyDirectory, start: LedgerState, found: FoundKey, options: OpenOptions): LedgerState {
  const state = write(file, start, options, (transaction) => addKeyEntry(transaction, found));
  if (found.isNext) keys.install();
  return state;
}

function write(file: LedgerFile, start: LedgerState, options: OpenOptions, work: (transaction: LedgerTransaction) => void): LedgerState {
  const transaction = startTransaction(file, start, { nowMs: options.clock(), signEntries: options.signEntries ?? false });
  file.inTransaction(() => work(transaction));
  return transaction.state();
}

/** The id names the keys and stands in a line of every checkpoint. */
function requireOriginName(db: WriterDatabase, ledgerId: string): void {
  if (/^[0-9a-f-]{1,64}$/.test(ledgerId)) return;
  throw new SentinelError('ledger.broken', {
    message: `The ledger_id of ${db.name} cannot be part of ${originOf('ID')}.`,
    hint: 'Keep the file as evidence, and put it back from a backup.',
    context: { path: db.name },
  });
}
