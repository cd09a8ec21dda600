/**
 * How much noise the built-in rules make over recorded ordinary programs, and how much of recorded attacks they see.
 * The recordings are data that nobody here wrote, kept outside the repository; docs/noise.md has what they said.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResultRow } from '@sentineld/model/rule';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { openReader } from '@sentineld/store/reader';
import { createScratch } from '@sentineld/store/scratch';
import { beforeAll, describe, expect, test } from 'vitest';
import { AUTHORIZED_FUNCTIONS } from '../sql/functions.ts';
import { EVENTS_TABLE } from '../sql/policy.ts';
import { CASE_PARAMETERS } from './case.ts';
import { loadRules } from './load.ts';

type Recorded = {
  readonly source: string;
  readonly unit: string;
  readonly pid: number;
  readonly ppid: number;
  readonly name: string;
  readonly Image: string;
  readonly argv: readonly string[];
  readonly ParentImage: string | null;
  readonly parent_exec_path?: string | null;
  readonly ParentCommandLine: string | null;
  readonly User: string;
  readonly t_ms: number;
};
type Hit = { readonly rule: string; readonly severity: string; readonly of: Recorded; readonly alert: string };

const CORPUS = join(process.env['SENTINELD_CORPORA'] ?? join(import.meta.dirname, '../../../../../shared/corpora'), 'sigma/events.jsonl');
const missing = !existsSync(CORPUS);
if (missing) console.log(`SKIPPED: no recorded programs at ${CORPUS}; set SENTINELD_CORPORA`);
const BUILTIN = join(import.meta.dirname, '../../rules');
const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../../docs/noise.md'), 'utf8');
/** Recordings were made one after the other: so far apart that no rule joins two of them. */
const APART_MS = 1_000_000;

function eventRow(event: Recorded, index: number, recording: number): Readonly<Record<string, unknown>> {
  return {
    seq: index + 1,
    timestamp_ms: recording * APART_MS + Math.round(event.t_ms),
    pid: event.pid,
    ppid: event.ppid,
    name: event.name,
    exe_path: event.Image,
    argv: event.argv,
    user_id: event.User === 'root' ? 0 : 1_000,
    parent_name: (event.parent_exec_path ?? event.ParentImage)?.split('/').at(-1)?.slice(0, 15) ?? null,
    parent_exe: event.ParentImage,
    parent_cmdline: event.ParentCommandLine,
  };
}

function replay(events: readonly Recorded[]): readonly Hit[] {
  const recordings = [...new Set(events.map(({ source, unit }) => `${source} ${unit}`))];
  const rows = events.map((event, index) => eventRow(event, index, recordings.indexOf(`${event.source} ${event.unit}`)));
  const scratch = createScratch({ schema: EVENTS_SCHEMA, rows: { [EVENTS_TABLE]: rows } });
  const databases = [{ schema: 'main', path: scratch.path }];
  const reader = openReader({ databases, schema: EVENTS_SCHEMA, functions: AUTHORIZED_FUNCTIONS });
  try {
    const rules = loadRules({ builtinDirectory: BUILTIN, directories: [] }).rules;
    return rules.flatMap(({ id, severity, sql, dedupKeys }) => {
      const bound = Object.fromEntries(
        Object.entries(CASE_PARAMETERS)
          .filter(([name]) => new RegExp(`:${name}\\b`).test(sql))
          .map(([name, value]) => [`:${name}`, value]),
      );
      const found = reader.prepare(sql).rows(bound, { maxRows: 10_000, maxBytes: 100_000_000 });
      return found.rows.flatMap((row) => hitsOf(row, events, { id, severity, dedupKeys }));
    });
  } finally {
    reader.close();
    scratch.close();
  }
}

/** What docs/noise.md says of each rule: alerts over the recording of an installation, attacks seen of each kind. */
function documented(): readonly string[] {
  const row = /^\| `([a-z0-9-]+)` \| (\w+) \| (\d+) \| \d+ \| (\d+) \| (\d+) \|$/gm;
  return [...DOCUMENT.matchAll(row)].map(([, ...columns]) => columns.join(' ')).toSorted();
}

function hitsOf(
  row: ResultRow,
  events: readonly Recorded[],
  rule: { readonly id: string; readonly severity: string; readonly dedupKeys: readonly string[] },
): readonly Hit[] {
  const of = events[Number(row['seq']) - 1];
  const alert = JSON.stringify([rule.id, ...rule.dedupKeys.map((key) => row[key] ?? null)]);
  return of === undefined ? [] : [{ rule: rule.id, severity: rule.severity, of, alert }];
}

describe.skipIf(missing)('over recorded programs', () => {
  let events: readonly Recorded[] = [];
  let hits: readonly Hit[] = [];
  beforeAll(() => {
    events = readFileSync(CORPUS, 'utf8')
      .trim()
      .split('\n')
      .map((line): Recorded => JSON.parse(line) as Recorded);
    hits = replay(events);
  }, 120_000);

  test('ordinary programs raise five alerts at most, one of them high', () => {
    const ordinary = hits.filter(({ of }) => of.source === 'benign');
    expect(events.filter(({ source }) => source === 'benign')).toHaveLength(2_987);
    expect(new Set(ordinary.map(({ alert }) => alert)).size, JSON.stringify(ordinary)).toBeLessThanOrEqual(5);
    const high = ordinary.filter(({ severity }) => severity === 'high' || severity === 'critical');
    expect(new Set(high.map(({ alert }) => alert)).size).toBeLessThanOrEqual(1);
  });

  test('docs/noise.md says of each rule over events what it finds', () => {
    const rules = loadRules({ builtinDirectory: BUILTIN, directories: [] }).rules.filter(({ sql }) => sql.includes(EVENTS_TABLE));
    const found = rules.map(({ id, severity }) => {
      const of = (source: string): readonly Hit[] => hits.filter((hit) => hit.rule === id && hit.of.source === source);
      const units = (source: string): number => new Set(of(source).map((hit) => hit.of.unit)).size;
      const alerts = new Set(of('benign').map(({ alert }) => alert)).size;
      return [id, severity, alerts, units('atomic-red-team'), units('gtfobins')].join(' ');
    });
    expect(documented()).toEqual(found.toSorted());
  });

  test.each([
    ['atomic-red-team', 205, 0.5],
    ['gtfobins', 367, 0.24],
  ])('of the attacks recorded from %s, the share that docs/noise.md promises is seen', (source, recorded, share) => {
    const unitsOf = (list: readonly Recorded[]): number => new Set(list.filter((of) => of.source === source).map(({ unit }) => unit)).size;
    expect(unitsOf(events)).toBe(recorded);
    expect(unitsOf(hits.map(({ of }) => of)) / recorded).toBeGreaterThanOrEqual(share);
  });
});
