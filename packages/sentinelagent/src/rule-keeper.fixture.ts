/**
 * A rule keeper over rule files in a directory of their own, with an executor that accepts what a test wants, and a store
 * that remembers what it was given.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '@sentineld/model/audit';
import type { RuleOutcome, Validation } from '@sentineld/model/rule';
import { silentLogger } from '@sentineld/runtime/log/logger';
import type { RuleChange } from '@sentineld/store/agent/writer';
import { createRuleBook, type RuleBook, type RuleEntry } from './rule-book.ts';
import { createRuleKeeper, type RuleKeeper } from './rule-keeper.ts';

export const ALICE = { pid: 7, uid: 1000, gid: 1000 };
export const NOTHING: RuleOutcome = { outcome: 'ok', scanId: 3, rows: [], processes: [], truncated: false, eventSeq: 5, durationMs: 2 };
export const OVERRUN: RuleOutcome = { outcome: 'timeout', message: 'longer than 100 ms', durationMs: 100 };
export const SEEN = { store: 's', seq: 41, scanId: 3, scanMs: 900 };

let directory = '';

/** Makes the directory; to be called before each test. */
export function makeRules(): string {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-keeper-'));
  return directory;
}

export function removeRules(): void {
  rmSync(directory, { recursive: true });
}

/** Writes the file of a rule over events. */
export function write(id: string, changes: { readonly version?: number; readonly sql?: string; readonly more?: string } = {}): void {
  const { version = 1, sql = `SELECT pid, start_time, '${id}' AS rule FROM process_events`, more = '' } = changes;
  const text = `id: ${id}\nname: Rule ${id}\ndescription: d\nseverity: high\ncategory: test\nversion: ${version}\n${more}query: |\n  ${sql}\n`;
  writeFileSync(join(directory, `${id}.yaml`), text, { mode: 0o644 });
}

export type Kept = {
  readonly book: RuleBook;
  readonly keeper: RuleKeeper;
  readonly audit: AuditEvent[];
  readonly changes: RuleChange[];
  /** Work that waits for the end of a cycle. */
  readonly waiting: (() => void)[];
  busy: boolean;
  validate: (sql: string) => Promise<Validation>;
};

/** A keeper of these rules, each looked at and accepted. */
export async function keep(ids: readonly string[]): Promise<Kept> {
  for (const id of ids) write(id);
  const load = { builtinDirectory: directory, directories: [] };
  const audit: AuditEvent[] = [];
  const changes: RuleChange[] = [];
  const waiting: (() => void)[] = [];
  const accept = async (): Promise<Validation> => ({
    ok: true,
    columns: ['pid', 'start_time'],
    tables: ['process_events'],
    scope: 'everything' as const,
  });
  const book = createRuleBook(load);
  await book.validate({ validate: accept });
  const keeper = createRuleKeeper({
    load,
    book,
    store: {
      queueAudit: (event) => audit.push(event),
      saveRules: (_, change) => {
        if (change !== undefined) changes.push(change);
        return { changed: 0, removed: 0 };
      },
    },
    executor: { validate: (sql) => kept.validate(sql) },
    detection: {
      exclusively: (work) => work(),
      between: (step) => (kept.busy ? new Promise((resolve) => waiting.push(() => resolve(step()))) : Promise.resolve(step())),
    },
    log: silentLogger(),
    userName: () => 'alice',
    clock: () => 5000,
    onRecorded: () => undefined,
  });
  const kept: Kept = { book, keeper, audit, changes, waiting, busy: false, validate: accept };
  return kept;
}

export function entryOf(book: RuleBook, id: string): RuleEntry {
  const entry = book.entries.find(({ rule }) => rule.id === id);
  if (entry === undefined) throw new Error(`no rule ${id}`);
  return entry;
}
export function states({ entries }: RuleBook): unknown[] {
  return entries.map(({ rule, state }) => [rule.id, rule.version, state]);
}

/** Counts a run. */
export function run(book: RuleBook, id: string, outcome: RuleOutcome): void {
  book.recordRun(entryOf(book, id), { outcome, result: outcome.outcome === 'ok' ? 'no_match' : 'failed', reason: null, seen: SEEN }, 4000);
}
