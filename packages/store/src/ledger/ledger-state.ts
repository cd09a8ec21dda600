/**
 * Where a ledger stands, and what one transaction makes of it. What a transaction that failed made is simply not taken.
 */
import type { AuditActor, AuditEntry, CheckpointNotice } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { canonicalEntry } from '@sentineld/ledger/canonical-entry';
import { type ChainPosition, sealEntry } from '@sentineld/ledger/chain';
import { originOf, signCheckpoint } from '@sentineld/ledger/checkpoint';
import { type KeyTimeline, announceKey } from '@sentineld/ledger/keys';
import { type CompactRange, copyRange, rootOf } from '@sentineld/ledger/merkle';
import { appendLeaves, leafHashes } from '@sentineld/ledger/tree-hashing';
import { type Signer, type VerifierKey, verifierKey } from '@sentineld/ledger/note';
import type { EventText } from './event-text.ts';
import type { PrivateKey } from './key-file.ts';
import type { LedgerFile } from './ledger-file.ts';

export type LedgerState = {
  readonly ledgerId: string;
  readonly hostId: string;
  /** The newest entry. */
  readonly position: ChainPosition;
  /** The tree of all entries. */
  readonly range: CompactRange;
  readonly newest: CheckpointNotice | null;
  readonly keys: KeyTimeline;
  /** Signs the entries and the checkpoint of the present epoch. */
  readonly signer: Signer;
};

/** Who did what. */
export type ActorEvent = readonly [actor: AuditActor, event: EventText];

export type LedgerTransaction = {
  readonly nowMs: number;
  /** As it will be once this is on disk. */
  readonly state: () => LedgerState;
  readonly add: (...events: readonly ActorEvent[]) => void;
  readonly closeEpoch: () => CheckpointNotice;
  /** The key of the entries and checkpoints from here on. */
  readonly signWith: (signer: Signer) => void;
  /** Checkpoints that were made. */
  readonly checkpoints: readonly CheckpointNotice[];
};

/** What a transaction writes with. */
export type LedgerRows = Pick<LedgerFile, 'insertEntries' | 'insertCheckpoint' | 'insertBody'>;

export type TransactionOptions = { readonly nowMs: number; readonly signEntries: boolean };

/** To be used within a transaction of the database. */
export function startTransaction(rows: LedgerRows, start: LedgerState, { nowMs, signEntries }: TransactionOptions): LedgerTransaction {
  let state = start;
  // Of entries that the tree of `state` does not have yet: hashed together.
  let pending: Uint8Array[] = [];
  const settled = (): LedgerState => {
    if (pending.length === 0) return state;
    const range = copyRange(state.range);
    appendLeaves(range, leafHashes(pending), pending.length);
    pending = [];
    return (state = { ...state, range });
  };
  const checkpoints: CheckpointNotice[] = [];
  return {
    nowMs,
    checkpoints,
    state: settled,
    signWith: (signer) => {
      state = { ...state, signer };
    },
    add: (...events) => {
      const entries = events.map(([actor, event]) => {
        const entry = entryOf(state, actor, event, { nowMs, signEntries });
        if (event.body !== null) rows.insertBody(event.body.hash, event.body.text);
        state = follow(state, entry);
        return entry;
      });
      rows.insertEntries(entries);
      pending.push(...entries.map((entry) => canonicalEntry(entry)));
    },
    closeEpoch: () => {
      const checkpoint = checkpointOf(settled(), nowMs);
      rows.insertCheckpoint(checkpoint, state.signer.key.id, state.range);
      const { epoch, treeSize, timestampMs, note } = checkpoint;
      const newest = { epoch, treeSize, timestampMs, note };
      state = { ...state, newest };
      checkpoints.push(newest);
      return newest;
    },
  };
}

function entryOf(state: LedgerState, actor: AuditActor, { action, text }: EventText, options: TransactionOptions): AuditEntry {
  const { signer } = state;
  const seal = { epoch: epochOf(state), keyId: signer.key.id, ...(options.signEntries && { sign: signer.sign }) };
  return sealEntry(state.position, { timestampMs: options.nowMs, actor, action, eventData: text }, seal);
}

/** The epoch that the next entry is written in. */
function epochOf({ newest }: Pick<LedgerState, 'newest'>): number {
  return (newest?.epoch ?? 0) + 1;
}

/** A key with the name of a ledger. */
export function signerOf(ledgerId: string, { publicKey, sign }: PrivateKey): Signer {
  return { key: verifierKey(originOf(ledgerId), publicKey), sign };
}

/** @throws SentinelError ledger.broken where no key is known to sign the present epoch. */
export function newestKey({ keys }: Pick<LedgerState, 'keys'>): { readonly key: VerifierKey; readonly firstEpoch: number } {
  const newest = keys.at(-1);
  if (newest === undefined) throw new SentinelError('ledger.broken', { message: 'The ledger names no key that signs it.' });
  return newest;
}

function follow(state: LedgerState, entry: AuditEntry): LedgerState {
  const keys = [...state.keys];
  const wrong = announceKey(keys, entry, state.ledgerId);
  if (wrong !== null) throw new SentinelError('internal.bug', { message: `Entry ${entry.sequence} cannot be written: ${wrong}.` });
  return { ...state, keys, position: { sequence: entry.sequence, entryHash: entry.entryHash } };
}

function checkpointOf(state: LedgerState, nowMs: number): ReturnType<typeof signCheckpoint> {
  const fields = {
    origin: originOf(state.ledgerId),
    treeSize: state.range.size,
    rootHash: rootOf(state.range),
    epoch: epochOf(state),
    timestampMs: nowMs,
    chain: state.position.entryHash,
  };
  return signCheckpoint(fields, state.signer);
}
