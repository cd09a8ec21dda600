/**
 * Where the product differs from the promised tables on purpose, and why. What differs and is not listed fails, and
 * so does what is listed and does not differ any more. docs/conformance.md has the same table for people.
 */
import { caseOf, type CaseResult } from '../suite.ts';
import type { Facet } from './facets.ts';

export type Deviation = {
  /** In a few words: what is otherwise. */
  readonly what: string;
  readonly why: string;
  /** Items; `*` stands for anything. */
  readonly items: readonly string[];
  /** How they differ. Another difference in the same place is not this deviation. */
  readonly shows: RegExp;
};

export const DEVIATIONS: readonly Deviation[] = [
  {
    what: '`process_snapshots` and `scan_metadata` are views',
    why: 'what rarely changes is stored once, with the scans it held for (ADR 2); ids are computed from numbers never given twice',
    items: ['process_snapshots: table', 'scan_metadata: table', 'process_snapshots: key never*', 'scan_metadata: key never*'],
    shows: /^it is a view$|^a view gives no numbers$/,
  },
  {
    what: '`detection_rules.enabled` is INTEGER, 0 or 1',
    why: 'STRICT tables know no BOOLEAN',
    items: ['detection_rules.enabled: type'],
    shows: /^it is INTEGER, not BOOLEAN$/,
  },
  {
    what: '`created_at`, `updated_at` are in ms',
    why: 'times have one unit in every table',
    items: ['detection_rules.created_at: form', 'detection_rules.updated_at: form', 'system_metadata*.updated_at: form'],
    shows: /^a row has \d{13}, not s$/,
  },
  {
    what: '`created_at`, `updated_at` have no default',
    why: "the writer gives them, by the clock that it is given; SQLite's would be in seconds",
    items: ['detection_rules.created_at: default', 'detection_rules.updated_at: default', 'system_metadata*.updated_at: default'],
    shows: /^a row without it is refused: NOT NULL constraint failed/,
  },
  {
    what: '`alerts.affected_processes` holds objects',
    why: 'a pid alone is reused; each object has pid and start time, and what an analyst reads',
    items: ['alerts.affected_processes: form'],
    shows: /^a row has \[\{"pid":\d+,"startTimeMs":/,
  },
  {
    what: '`alerts.scan_id` has no foreign key',
    why: 'scans are in another file, with another writer; an alert outlives its scan',
    items: ['alerts.scan_id: references scan_metadata'],
    shows: /^-1 is let in/,
  },
  {
    what: '`system_metadata` is in every database, and not for queries',
    why: 'each file has a version and a generation of its own; they are for programs',
    items: ['system_metadata.*: readable'],
    shows: /^it is not among what may be queried$/,
  },
  {
    what: "indexes are those that the product's own statements need",
    why: 'an index costs more at each insert than the row does (ADR 2)',
    items: ['*: index *'],
    shows: /^no index begins with these columns$/,
  },
];

/** Facets as cases: one that differs passes where it is listed. A deviation that nothing shows is a case that fails. */
export function* judgeFacets(facets: Iterable<Facet>, deviations: readonly Deviation[]): Generator<CaseResult> {
  const unused = new Set(deviations.flatMap(({ items }) => items));
  for (const { item, differs } of facets) {
    const deviation = differs === undefined ? undefined : deviations.find((candidate) => isDeviation(candidate, item, differs));
    if (differs === undefined) yield caseOf(item, undefined, { state: 'held' });
    else if (deviation === undefined) yield caseOf(item, differs);
    else yield caseOf(item, undefined, { state: 'deviates', differs, why: deviation.why });
    for (const pattern of deviation?.items ?? []) if (matches(pattern, item)) unused.delete(pattern);
  }
  for (const pattern of unused) yield caseOf(`deviation ${pattern}`, 'nothing deviates like this: take it off the list');
}

function isDeviation({ items, shows }: Deviation, item: string, differs: string): boolean {
  return shows.test(differs) && items.some((pattern) => matches(pattern, item));
}

function matches(pattern: string, item: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.()]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(item);
}

/** The rows of the table in docs/conformance.md. */
export function deviationRows(): readonly string[] {
  return DEVIATIONS.map(({ what, why }) => `| ${what} | ${why} |`);
}
