/**
 * Readers of a store as a line child: each line is `{"sql","parameters","times"}`, answered with the median time of the
 * runs through node:sqlite itself, that of the first, the rows, and the sum of memory_bytes or of the only value.
 */
import { DatabaseSync } from 'node:sqlite';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { openReader } from '@sentineld/store/reader';
import { answerLines, measure } from './measured-program.ts';
import { median } from './statistics.ts';
import type { Measured } from './line-child.ts';

export type Question = { readonly sql: string; readonly parameters: readonly number[]; readonly times: number };
export type Answer = {
  readonly rows: number;
  readonly total: number;
  readonly firstMs: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The same through the reader that rules and the CLI use; null where the view is not there. */
  readonly readerMs: number | null;
};

const [, , file = '', kind] = process.argv;
/** No cap is to cut a result here. */
const CAPS = { maxRows: 1_000_000, maxBytes: 1 << 30 };

const database = new DatabaseSync(file, { readOnly: true });
const reader =
  kind === 'events'
    ? openReader({
        databases: [{ schema: 'main', path: file }],
        schema: EVENTS_SCHEMA,
        functions: new Set(['count', 'sum', 'max', 'coalesce', 'json', 'json_object', 'replace']),
      })
    : null;

await answerLines(async (line): Promise<Answer> => {
  const { sql, parameters, times } = JSON.parse(line) as Question;
  const statement = database.prepare(sql);
  let rows: readonly Readonly<Record<string, unknown>>[] = [];
  const runs: Measured[] = [];
  for (let i = 0; i < times; i++) {
    runs.push(
      await measure(() => {
        rows = statement.all(...parameters);
        return rows.length;
      }),
    );
  }
  const query = reader?.prepare(sql);
  const readerRuns: Measured[] = [];
  for (let i = 0; query !== undefined && i < times; i++) readerRuns.push(await measure(() => query.rows(parameters, CAPS).rows.length));
  return {
    rows: rows.length,
    total: rows.reduce((sum, row) => sum + Number(row['memory_bytes'] ?? Object.values(row)[0]), 0),
    firstMs: runs[0]?.wallMs ?? 0,
    wallMs: median(runs.map(({ wallMs }) => wallMs)),
    cpuMs: median(runs.map(({ cpuMs }) => cpuMs)),
    readerMs: readerRuns.length === 0 ? null : median(readerRuns.map(({ wallMs }) => wallMs)),
  };
});
