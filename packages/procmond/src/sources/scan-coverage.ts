/**
 * Counts what a scan could not see and puts it in a sentence for people.
 */
import type { ProcessRecord } from '@sentineld/model/process';
import type { ScanCoverage } from '@sentineld/model/scan';
import { hidesOtherUsers } from './kernel-constants.ts';

/** What a scan came upon: `withheld` are those of `processes` of which something was not seen; the others are not among them. */
export type Seen = {
  readonly processes: readonly ProcessRecord[];
  readonly withheld: readonly ProcessRecord[];
  readonly vanished: number;
  readonly errors: number;
};

export function coverageOf({ processes, withheld, vanished, errors }: Seen): ScanCoverage {
  let exeUnreadable = 0;
  let argvUnreadable = 0;
  let argvTruncated = 0;
  const refusals = new Set<string>();
  for (const { image } of withheld) {
    for (const unseen of image.unseen) {
      if (unseen.field === 'exe') {
        exeUnreadable++;
        refusals.add(unseen.reason);
      } else if (image.argv === null) argvUnreadable++;
      else argvTruncated++;
    }
  }
  const otherUsersHidden = hidesOtherUsers();
  const sentences = [
    ...(otherUsersHidden ? ['processes of other users may be hidden (/proc is mounted with hidepid)'] : []),
    ...(exeUnreadable > 0
      ? [`the executable of ${exeUnreadable} of ${processes.length} processes is withheld (${[...refusals].join(', ')})`]
      : []),
    ...(argvUnreadable > 0 ? [`the arguments of ${argvUnreadable} processes are withheld`] : []),
    ...(argvTruncated > 0 ? [`the arguments of ${argvTruncated} processes are cut`] : []),
    ...(errors > 0 ? [`${errors} processes could not be read`] : []),
  ];
  return {
    seen: processes.length,
    accessible: processes.length - withheld.length,
    exeUnreadable,
    argvUnreadable,
    argvTruncated,
    vanished,
    errors,
    otherUsersHidden,
    reason: sentences.length > 0 ? sentences.join('; ') : null,
  };
}
