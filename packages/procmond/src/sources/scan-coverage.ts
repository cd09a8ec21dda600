/**
 * Counts what a scan could not see and puts it in a sentence for people.
 */
import type { ProcessRecord, Unseen } from '@sentineld/model/process';
import type { ScanCoverage } from '@sentineld/model/scan';
import { hidesOtherUsers } from './kernel-constants.ts';

/** What a scan came upon: `withheld` are those of `processes` of which something was not seen; the others are not among them. */
export type Seen = {
  readonly processes: readonly ProcessRecord[];
  readonly withheld: readonly ProcessRecord[];
  readonly vanished: number;
  readonly errors: number;
};

/** How the sentence calls what was withheld, in this order; arguments have words of their own. */
const NAMES: readonly (readonly [field: Unseen['field'], name: string])[] = [
  ['exe', 'the executable'],
  ['owner', 'the real user'],
  ['cwd', 'the working directory'],
  ['namespaces', 'the namespaces'],
  ['cgroup', 'the control group'],
];

/** `otherUsersHidden` is asked of /proc where it is not given. */
export function coverageOf({ processes, withheld, vanished, errors }: Seen, otherUsersHidden: boolean = hidesOtherUsers()): ScanCoverage {
  const { counts, argvTruncated, refusals } = countUnseen(withheld);
  const argvUnreadable = (counts.get('argv') ?? 0) - argvTruncated;
  const sentences = [
    ...(otherUsersHidden ? ['processes of other users may be hidden (/proc is mounted with hidepid)'] : []),
    ...withheldSentence(counts, processes.length, refusals),
    ...(argvUnreadable > 0 ? [`the arguments of ${argvUnreadable} processes are withheld`] : []),
    ...(argvTruncated > 0 ? [`the arguments of ${argvTruncated} processes are cut`] : []),
    ...(errors > 0 ? [`${errors} processes could not be read`] : []),
  ];
  return {
    seen: processes.length,
    accessible: processes.length - withheld.length,
    exeUnreadable: counts.get('exe') ?? 0,
    argvUnreadable,
    argvTruncated,
    vanished,
    errors,
    otherUsersHidden,
    reason: sentences.length > 0 ? sentences.join('; ') : null,
  };
}

/** 'the executable of 48 of 122 processes is withheld (EACCES), the working directory of 48', or nothing. */
function withheldSentence(counts: UnseenCounts['counts'], of: number, refusals: ReadonlySet<string>): string[] {
  const parts = NAMES.flatMap(([field, name]) => {
    const count = counts.get(field) ?? 0;
    return count > 0 ? [`${name} of ${count}`] : [];
  });
  const [first, ...others] = parts;
  if (first === undefined) return [];
  return [[`${first} of ${of} processes is withheld (${[...refusals].join(', ')})`, ...others].join(', ')];
}

type UnseenCounts = {
  readonly counts: ReadonlyMap<Unseen['field'], number>;
  readonly argvTruncated: number;
  /** Why, but for arguments. */
  readonly refusals: ReadonlySet<string>;
};

function countUnseen(withheld: readonly ProcessRecord[]): UnseenCounts {
  const counts = new Map<Unseen['field'], number>();
  const refusals = new Set<string>();
  let argvTruncated = 0;
  for (const { image } of withheld) {
    for (const { field, reason } of image.unseen) {
      counts.set(field, (counts.get(field) ?? 0) + 1);
      if (field !== 'argv') refusals.add(reason);
      else if (image.argv !== null) argvTruncated++;
    }
  }
  return { counts, argvTruncated, refusals };
}
