/**
 * Judges a ledger after a crash: verified whole with its archives, and held against what was acknowledged.
 */
import { SentinelError } from '@sentineld/model/error';
import { verifyFile } from './ledger-evidence.ts';
import { readHistory, type Problem } from './ledger-history.ts';
import { pathsOf } from './ledger-load.ts';
import type { Promises } from './ledger-promises.ts';

export type Judgement = { readonly entries: number; readonly problems: readonly Problem[] };

/** Nobody writes to `directory` meanwhile. A ledger that is not there is one where nothing was promised. */
export function judgeLedger(directory: string, promises: Promises): Judgement {
  try {
    const { failure } = verifyFile(pathsOf(directory).ledgerDb, []);
    const history = readHistory(directory);
    const broken =
      failure === undefined ? [] : [{ what: 'ledger-broken', detail: `${failure.what}: entry ${failure.sequence}: ${failure.why}` }];
    return { entries: history.entries.length, problems: [...broken, ...promises.broken(history)] };
  } catch (cause) {
    if (!(cause instanceof SentinelError)) throw cause;
    const isNothing = cause.code === 'store.missing' && promises.count() === 0;
    return { entries: 0, problems: isNothing ? [] : [{ what: 'ledger-unreadable', detail: `${cause.message} ${cause.why}` }] };
  }
}
