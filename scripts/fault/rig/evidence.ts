/**
 * What is in the databases of an installation after faults, read through connections of its own: whether the files
 * are whole, whether readers can read every view, and whether there is anything twice or missing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '@sentineld/model/error';
import type { Head } from './ask.ts';
import type { Campaign } from './campaign.ts';
import { eventually } from './eventually.ts';
import { examineLedger, type LedgerEvidence } from './ledger-evidence.ts';
import type { Site } from './site.ts';

type Row = Readonly<Record<string, unknown>>;
type Witnesses = Parameters<typeof examineLedger>[1];

const VIEWS = ['processes', 'process_snapshots', 'process_tree', 'scan_metadata', 'coverage'] as const;
/** The product's own default. */
const DEDUP_WINDOW_MS = 3_600_000;
const COVERAGE_PATIENCE_MS = 30_000;

export type ExamineOptions = { /** Two alerts of one key within this time are one too many. */ readonly dedupWindowMs?: number };

/** Runs `work` on a read-only connection. */
export function withDatabase<Result>(
  path: string,
  work: (all: (sql: string, ...values: readonly (string | number)[]) => readonly Row[]) => Result,
): Result {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  try {
    return work((sql, ...values) => db.prepare(sql).all(...values));
  } finally {
    db.close();
  }
}

/** Of the files on disk: events, scans and alerts in numbers; problems become findings. */
export type Holdings = { readonly scans: number; readonly alerts: number; readonly ledger: LedgerEvidence };

/** Looks at all three databases. A problem is a finding of the campaign. */
export async function examine(campaign: Campaign, site: Site, witnesses: Witnesses, options: ExamineOptions = {}): Promise<Holdings> {
  const ledger = await examineLedger(site.paths.ledgerDb, witnesses);
  for (const { what, detail } of ledger.problems) campaign.find(what, detail);
  const scans = examineEvents(campaign, site, ledger);
  const alerts = examineAlerts(campaign, site, options.dedupWindowMs ?? DEDUP_WINDOW_MS);
  campaign.most('ledger entries', ledger.entries);
  campaign.most('scans', scans);
  campaign.most('alerts', alerts);
  campaign.count('examinations');
  return { scans, alerts, ledger };
}

function examineEvents(campaign: Campaign, site: Site, ledger: LedgerEvidence): number {
  try {
    return withDatabase(site.paths.eventsDb, (all) => {
      campaign.expect('events-damaged', integrityProblem(all));
      for (const view of VIEWS) all(`SELECT * FROM ${view} LIMIT 500`);
      const ids = new Set(all('SELECT id FROM scan').map(({ id }) => Number(id)));
      // The scan is on disk before the ledger says so; a process that dies takes nothing from the page cache with it.
      const gone = [...ledger.scanIds].filter((id) => !ids.has(id));
      campaign.expect('scan-lost', gone.length === 0 ? null : `the ledger says that scans ${gone.slice(0, 5).join(', ')} are stored`);
      return ids.size;
    });
  } catch (cause) {
    campaign.find('events-unreadable', messageOf(cause));
    return 0;
  }
}

function examineAlerts(campaign: Campaign, site: Site, dedupWindowMs: number): number {
  try {
    return withDatabase(site.paths.agentDb, (all) => {
      campaign.expect('agent-damaged', integrityProblem(all));
      const twice = all(
        `SELECT a.dedup_key AS key, a.id AS first, b.id AS second FROM alerts a JOIN alerts b
         ON b.dedup_key = a.dedup_key AND b.id > a.id AND abs(b.alert_time - a.alert_time) < ? LIMIT 3`,
        dedupWindowMs,
      );
      for (const { key, first, second } of twice)
        campaign.find('alert-twice', `alerts ${String(first)} and ${String(second)} have the key ${String(key)}`);
      return Number(all('SELECT count(*) AS n FROM alerts')[0]?.['n']);
    });
  } catch (cause) {
    campaign.find('agent-unreadable', messageOf(cause));
    return 0;
  }
}

function integrityProblem(all: (sql: string) => readonly Row[]): string | null {
  const lines = all('PRAGMA integrity_check').map((row) => String(row['integrity_check']));
  return lines.length === 1 && lines[0] === 'ok' ? null : lines.slice(0, 3).join('; ');
}

/** Once nothing is on its way any more: every alert is in the ledger, every delivery made, every line of the file whole. */
export function examineQuiet(campaign: Campaign, site: Site, ledger: LedgerEvidence): void {
  const { alerts, open, waiting } = withDatabase(site.paths.agentDb, (all) => ({
    alerts: all('SELECT id FROM alerts').map(({ id }) => Number(id)),
    open: all("SELECT status, error_message AS error FROM alert_deliveries WHERE status <> 'success'"),
    waiting: Number(all('SELECT count(*) AS n FROM audit_outbox')[0]?.['n']),
  }));
  const unknown = alerts.filter((id) => !ledger.alertIds.has(id));
  campaign.expect('alert-not-in-ledger', unknown.length === 0 || waiting > 0 ? null : `alerts ${unknown.slice(0, 5).join(', ')}`);
  campaign.expect(
    'delivery-not-made',
    open.length === 0 ? null : `${open.length} deliveries, the first is ${String(open[0]?.['status'])}: ${String(open[0]?.['error'])}`,
  );
  const file = join(site.paths.agentDir, 'alerts.jsonl');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  // Checkpoints of the ledger are in it too; they have no id.
  const ids = lines.map((line) => lineId(campaign, line)).filter((id) => id !== undefined);
  const missing = alerts.filter((id) => !ids.includes(id));
  campaign.expect('alert-not-in-file', missing.length === 0 ? null : `alerts ${missing.slice(0, 5).join(', ')} are not in alerts.jsonl`);
  // At least once: a kill between the write and its record repeats a line.
  campaign.count('alerts delivered twice', ids.length - new Set(ids).size);
}

function lineId(campaign: Campaign, line: string): number | null | undefined {
  try {
    return (JSON.parse(line) as { readonly id?: number }).id;
  } catch {
    campaign.find('alert-line-torn', `alerts.jsonl has a line that is not JSON: ${line.slice(0, 80)}`);
    return null;
  }
}

/** Whether the ledger has an entry of this action after the one of that number. */
export function hasEntry(site: Site, after: number, action: string): boolean {
  return (
    withDatabase(site.paths.ledgerDb, (all) => all('SELECT 1 FROM audit_ledger WHERE sequence > ? AND action = ?', after, action)).length >
    0
  );
}

/** Where there is none it is a finding. */
export function expectEntry(campaign: Campaign, site: Site, after: number, action: string, when: string): void {
  campaign.expect(`no-${action}`, hasEntry(site, after, action) ? null : `${when}, and the ledger has no ${action} after entry ${after}`);
}

/** Events of which procmond says that they were missed are in the coverage of scans, once the interval is over. */
export async function expectLossInCoverage(campaign: Campaign, site: Site, missed: number): Promise<void> {
  const counted = (): number =>
    withDatabase(site.paths.eventsDb, (all) => Number(all('SELECT sum(events_lost + events_dropped) AS n FROM coverage')[0]?.['n']));
  const isThere = await eventually(COVERAGE_PATIENCE_MS, () => counted() >= missed);
  campaign.expect('loss-not-in-coverage', isThere === null ? `${missed} events were missed, coverage says ${counted()}` : null);
}

/** The newest head that the agent was told, from its file; null where there is none yet. */
export function newestWitness(site: Site): Head | null {
  if (!existsSync(site.paths.agentDb)) return null;
  try {
    return withDatabase(site.paths.agentDb, (all) => {
      const [row] = all('SELECT sequence, entry_hash FROM ledger_witness ORDER BY seen_ms DESC, sequence DESC LIMIT 1');
      return row === undefined ? null : { sequence: Number(row['sequence']), entryHash: String(row['entry_hash']) };
    });
  } catch {
    // Not set up yet.
    return null;
  }
}
