/**
 * How the run of procmond before this one ended, as the ledger tells it: its last start has a stop after it, or not.
 */
import type { WriterDatabase } from '../open.ts';
import type { PreviousEnd } from './writer-contract.ts';

/** A stop is among the last entries that a run writes. */
const NEWEST_ROWS = 4_096;

const SQL = `SELECT action FROM (SELECT sequence, actor, action FROM audit_ledger ORDER BY sequence DESC LIMIT ${NEWEST_ROWS})
  WHERE actor = 'procmond' AND action IN ('start', 'stop') ORDER BY sequence DESC LIMIT 1`;

/** To be asked before this run writes its own start. */
export function readPreviousEnd(db: WriterDatabase): PreviousEnd {
  const last = db.prepare<[], { action: string }>(SQL).get();
  if (last !== undefined) return last.action === 'stop' ? 'clean' : 'crash';
  // Neither among so many: it ran for long after its start, and wrote no stop.
  const range = db.prepare<[], { oldest: number | null; newest: number | null }>(
    'SELECT min(sequence) AS oldest, max(sequence) AS newest FROM audit_ledger',
  );
  const { oldest, newest } = range.get() ?? { oldest: null, newest: null };
  return oldest === 1 && newest !== null && newest <= NEWEST_ROWS ? 'new' : 'crash';
}
