/**
 * What others know of the ledger, for whoever verifies it: heads of a running procmond and of the agent, and checkpoints
 * that left the ledger.
 */
import { SentinelError } from '@sentineld/model/error';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { LEDGER_WITNESS_SQL } from '@sentineld/store/agent/readable';
import { readEntries, readSeal, type openLedger } from '@sentineld/store/ledger/read';
import { originOf } from '@sentineld/ledger/checkpoint';
import type { LedgerWitness } from '@sentineld/ledger/verify';
import { ledgerIdOf } from '@sentineld/ledger/walk';
import { withAgentReader } from '../alert-store.ts';
import type { CommandContext } from '../command.ts';
import { askDaemon } from '../daemons.ts';
import { ledgerHeadOf } from '../health-report.ts';
import { readCheckpointFile, readOutside, type OutsideSource } from './outside.ts';

export type Witnesses = {
  readonly heads: readonly Extract<LedgerWitness, { head: unknown }>[];
  /** Those that have checkpoints, or could not be asked. */
  readonly sources: readonly OutsideSource[];
};

/** None of them has to be there but the files. @throws SentinelError ledger.input for a file that is no checkpoint. */
export async function askWitnesses(context: CommandContext, files: readonly string[]): Promise<Witnesses> {
  const paths = context.paths();
  const given = files.map(readCheckpointFile);
  const outside = readOutside(paths, context.config().config.ledger.mirror);
  const head = ledgerHeadOf(await askDaemon('procmond', paths, { request: 'health' }));
  const running = head === null ? [] : [{ name: 'the running procmond', head }];
  // The agent has none as a rule where it is not installed: that is no news.
  const sources = [...given, ...outside.filter(({ kind, seen }) => kind !== 'agent' || seen.length > 0)];
  return { heads: [...running, ...agentHeads(paths)], sources };
}

/**
 * What to hold against this ledger. A mirror may be of several hosts, or of a ledger before this one: checkpoints of
 * others count only where it has none of this one, for then the file was put in its place.
 */
export function heldAgainst(db: ReturnType<typeof openLedger>, { heads, sources }: Witnesses): readonly LedgerWitness[] {
  const origin = originIn(db);
  const checkpoints = sources.flatMap(({ kind, name, seen }) => {
    const own = seen.filter(({ checkpoint }) => checkpoint.origin === origin);
    return (kind === 'file' || own.length === 0 ? seen.slice(-1) : own).map(({ checkpoint }) => ({ name, checkpoint: checkpoint.note }));
  });
  return [...heads, ...checkpoints];
}

/** As the file says. What cannot be read is told by whoever verifies it. */
function originIn(db: ReturnType<typeof openLedger>): string | null {
  try {
    const sealed = readSeal(db)?.ledgerId;
    if (sealed !== undefined && sealed !== null) return originOf(sealed);
    for (const { eventData } of readEntries(db, { fromSequence: 1, throughSequence: 1 })) {
      const id = ledgerIdOf(eventData);
      return id === null ? null : originOf(id);
    }
    return null;
  } catch (cause) {
    if (cause instanceof SentinelError) return null;
    throw cause;
  }
}

function agentHeads(paths: StatePaths): Witnesses['heads'] {
  try {
    const rows = withAgentReader(paths, (reader) => reader.internal(LEDGER_WITNESS_SQL));
    return rows.flatMap(({ sequence, entry_hash: entryHash }) =>
      typeof sequence === 'number' && typeof entryHash === 'string' ? [{ name: "the agent's file", head: { sequence, entryHash } }] : [],
    );
  } catch (cause) {
    if (cause instanceof SentinelError) return [];
    throw cause;
  }
}
