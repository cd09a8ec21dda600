/**
 * Ledgers made by the writer of the product, for whoever damages them: the writer runs in a process of its own, since this
 * one reads and damages with node:sqlite.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { headOf } from '@sentineld/ledger/chain';
import { parseKey, verifierKey, type Signer, type VerifierKey } from '@sentineld/ledger/note';
import { openLedger, readCheckpoints, readEntries } from '@sentineld/store/ledger/read';
import type { LedgerHead } from '@sentineld/model/audit';

export type RealLedger = {
  readonly directory: string;
  /** ledger.db. */
  readonly path: string;
  /** The private key that signs now, as whoever is root on the host has it. */
  readonly signer: () => Signer;
  readonly remove: () => void;
};

/** What is known of a ledger elsewhere. */
export type KnownElsewhere = {
  /** The first key, written down when the ledger was new. */
  readonly key: VerifierKey;
  /** The newest checkpoint. */
  readonly note: string;
  /** The newest entry, as the agent keeps it. */
  readonly head: LedgerHead;
};

const WRITER = new URL('../../../store/src/ledger/writer.ts', import.meta.url).href;
const START_MS = Date.UTC(2026, 0, 1);

/** Runs the body of a program that has `writer`, `scan(n)` and a clock that goes on by a second; the writer stops at its end. */
export function write(directory: string, body: string, checkpointEntries = 8): void {
  const program = `const { openLedgerWriter } = await import(${JSON.stringify(WRITER)});
    const at = (name) => ${JSON.stringify(directory)} + '/' + name;
    const { existsSync, statSync } = await import('node:fs');
    let nowMs = ${START_MS} + (existsSync(at('ledger.db')) ? 86_400_000 : 0);
    const clock = () => (nowMs += 1_000);
    const writer = openLedgerWriter({ path: at('ledger.db'), hostId: 'H', clock, keyDir: at('key'), archiveDir: at('archive'), checkpointEntries: ${checkpointEntries}, reserveBytes: 0 });
    const scan = (number) => writer.append('procmond', [{ action: 'process_scan_complete', data: { number, name: 'Zoë' } }]);
    ${body}
    writer.stop();
    process.exit(0);`;
  execFileSync(process.execPath, ['--conditions=sentineld-source', '--input-type=module', '-e', program]);
}

export function createLedger(body: string, checkpointEntries?: number): RealLedger {
  const directory = mkdtempSync(join(tmpdir(), 'sentineld-attack-'));
  write(directory, body, checkpointEntries);
  return ledgerIn(directory);
}

/** The same files again, to be damaged. */
export function copyLedger(from: RealLedger): RealLedger {
  const directory = mkdtempSync(join(tmpdir(), 'sentineld-attack-'));
  cpSync(from.directory, directory, { recursive: true });
  return ledgerIn(directory);
}

function ledgerIn(directory: string): RealLedger {
  const path = join(directory, 'ledger.db');
  return {
    directory,
    path,
    signer: () => {
      const privateKey = createPrivateKey(readFileSync(join(directory, 'key', 'ledger.pem')));
      const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
      const { name } = knownOf({ path }).key;
      return { key: verifierKey(name, publicKey), sign: (bytes) => sign(null, bytes, privateKey) };
    },
    remove: () => rmSync(directory, { recursive: true }),
  };
}

export function knownOf({ path }: Pick<RealLedger, 'path'>): KnownElsewhere {
  const db = openLedger(path);
  try {
    const entries = [...readEntries(db)];
    const [first, newest] = [entries[0], entries.at(-1)];
    const checkpoint = [...readCheckpoints(db)].at(-1);
    if (first === undefined || newest === undefined || checkpoint === undefined) throw new Error('a ledger without entries or checkpoints');
    const { key } = JSON.parse(first.eventData) as { readonly key: string };
    return { key: parseKey(key), note: checkpoint.note, head: headOf(newest) };
  } finally {
    db.close();
  }
}

/** As root does it with the sqlite3 shell: checks of the schema are no obstacle. */
export function damage({ path }: Pick<RealLedger, 'path'>, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path, { defensive: false });
  try {
    db.exec('PRAGMA ignore_check_constraints = ON; PRAGMA journal_mode = WAL');
    work(db);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
}
