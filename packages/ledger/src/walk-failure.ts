/**
 * What can be wrong with a ledger, in the words of docs/ledger-format.md.
 */
import type { LedgerFault as LinkFault } from './chain.ts';

/** Stable words for what is wrong with a ledger. */
export type LedgerFault = LinkFault | 'epoch' | 'key' | 'checkpoint_missing' | 'checkpoint' | 'tree' | 'body' | 'seal';

export type LedgerFailure = {
  /** The entry that is wrong or missing; of a checkpoint, its tree size. */
  readonly sequence: number;
  readonly what: LedgerFault;
  /** One sentence for people. */
  readonly why: string;
  /** Of the checkpoint that is wrong or missing; left out where an entry is. */
  readonly epoch?: number;
};
