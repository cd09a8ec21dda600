/**
 * What the program that writes a ledger under load and the campaign that kills it agree on: the plan, what is told when it
 * was acknowledged, and what each entry of a client says.
 */
import { join } from 'node:path';
import type { CheckpointNotice, LedgerHead } from '@sentineld/model/audit';
import type { ArchiveReply, OriginEntry, RotateKeyReply } from '@sentineld/model/request';
import { openLedgerWriter, type LedgerWriter } from '@sentineld/store/ledger/writer';
import { createRandom } from './random.ts';

/** A client that numbers its entries, and the last number that was acknowledged to it. */
export type LoadClient = { readonly id: string; readonly acknowledged: number };

export type LoadPlan = {
  /** Where `ledger.db`, its keys and archives are. */
  readonly directory: string;
  readonly seed: number;
  readonly clients: readonly LoadClient[];
  /** Likelihood of each after an own entry. */
  readonly checkpoints: number;
  readonly rotations: number;
  readonly archives: number;
  /** Archives keep up to the newest of so many milliseconds. */
  readonly keptMs: number;
  /** Between two requests of one client at most. */
  readonly pauseMs: number;
  /** Entries after which the writer makes a checkpoint by itself. */
  readonly checkpointEntries: number;
  /** Whether each entry is signed by itself. */
  readonly signEntries: boolean;
  /** Requests of all clients together, own entries included; null: until it is killed. */
  readonly steps: number | null;
  /** 'stop' empties the log of writes at the end as procmond does; 'kill' leaves everything as it is. */
  readonly end: 'stop' | 'kill';
  /** Writes may fail; then the writer is opened anew and goes on. */
  readonly isFailing: boolean;
};

/** Told only when it was acknowledged, one JSON text a line. */
export type Acknowledgement =
  /** What the writer found; nothing was asked of it yet. */
  | { readonly told: 'open'; readonly head: LedgerHead; readonly keyId: string; readonly checkpoint: CheckpointNotice | null }
  /** After a write that failed. */
  | { readonly told: 'reopen'; readonly head: LedgerHead }
  /** Own entries up to this one. */
  | { readonly told: 'append'; readonly head: LedgerHead }
  /** Entries of a client up to `last`. */
  | { readonly told: 'submit'; readonly origin: string; readonly last: number; readonly head: LedgerHead }
  | ({ readonly told: 'checkpoint' } & CheckpointNotice)
  | ({ readonly told: 'rotation' } & RotateKeyReply)
  | ({ readonly told: 'archive' } & ArchiveReply)
  | { readonly told: 'done' }
  | { readonly told: 'failure'; readonly code: string; readonly why: string };

/** A submission waits so long for company. */
const GROUP_MS = 2;
/** Larger than what stays in the entry itself. */
const LARGE_CHARACTERS = 20_000;

export function pathsOf(directory: string): { readonly ledgerDb: string; readonly keyDir: string; readonly archiveDir: string } {
  return { ledgerDb: join(directory, 'ledger.db'), keyDir: join(directory, 'key'), archiveDir: join(directory, 'archive') };
}

export function openLoadWriter(
  { directory, checkpointEntries, signEntries }: LoadPlan,
  onCheckpoint: (notice: CheckpointNotice) => void,
): LedgerWriter {
  const { ledgerDb, keyDir, archiveDir } = pathsOf(directory);
  return openLedgerWriter({
    path: ledgerDb,
    hostId: 'fault',
    clock: Date.now,
    reserveBytes: 0,
    keyDir,
    archiveDir,
    signEntries,
    checkpointEntries,
    groupMs: GROUP_MS,
    onCheckpoint,
  });
}

/** What client `id` sends under a number is always the same: some details are too large to stay in the entry. */
export function entryOf(id: string, number: number): OriginEntry {
  const random = createRandom(number * 31 + id.length);
  const characters = random.chance(0.03) ? LARGE_CHARACTERS : random.between(0, 600);
  return { originSequence: number, event: { action: 'rule_execute', data: { rule: `${id}/${number}`, text: 'x'.repeat(characters) } } };
}
