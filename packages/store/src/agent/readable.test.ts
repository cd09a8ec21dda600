import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LEDGER_SCHEMA, LEDGER_VIEWS } from '../ledger/readable.ts';
import { AGENT_SCHEMA, AGENT_VIEWS, LEDGER_CHECKPOINT_SEEN_SQL, LEDGER_WITNESS_SQL } from './readable.ts';

let directory = '';
let db: DatabaseSync;

/** Both databases, made by their writers in a process of its own: this one reads with node:sqlite. */
const PROGRAM = `
const { openAgentWriter } = await import(new URL('./writer.ts', process.argv[1]).href);
const { openLedgerWriter } = await import(new URL('../ledger/writer.ts', process.argv[1]).href);
let nowMs = 1000;
const agent = openAgentWriter({ path: process.argv[2] + '/agent.db', clock: () => nowMs });
const rule = { id: 'r', name: 'R', description: 'd', severity: 'low', category: 'c', tags: [], attack: [], version: 1, author: 'a', sql: 'SELECT 1', dedupKeys: [], enabled: true, source: 'user', sourcePath: '', checksum: '' };
agent.saveRules([rule]);
const finding = (dedupKey) => ({ ruleId: 'r', ruleName: 'R', ruleVersion: 1, severity: 'low', description: 'd', category: 'c', tags: [], attack: [], dedupKey, scanId: null, correlationId: 'c', rows: [], processes: [], executionTimeMs: 1 });
const context = { hostName: 'h', hostId: 'H', bootId: 'B', windowMs: 100, sinks: [{ name: 's', type: 'stdout' }] };
agent.recordFindings([finding('old')], context);
nowMs = 1050; agent.recordFindings([finding('old')], context);
nowMs = 2000; agent.recordFindings([finding('new')], context);
nowMs = 2050; agent.recordFindings([finding('new'), finding('new')], context);
agent.concludeCycle({ action: 'rule_execute', data: {} }, [{ ruleId: 'r', result: 'incomplete', sinceMs: nowMs, reason: 'why', seen: null }], [{ ruleId: 'r', runs: 2, rows: 1, hits: 1, totalMs: 1.5, worstMs: 1, overruns: 0, lastRunMs: nowMs }]);
agent.saveRules([rule], { event: { action: 'rule_override', data: {} }, override: { ruleId: 'r', enabled: false, severity: null, reason: 'why', uid: 0, userName: null, decidedMs: nowMs } });
agent.acknowledgeAlerts([1], { uid: 0, by: 'root', reason: 'known', again: false }, () => ({ action: 'alert_ack', data: {} }));
const suppression = { ruleId: 'r', conditions: [{ column: 'pid', value: null }], alertId: 1, reason: 'why', uid: 0, userName: null, forMs: 3600000 };
for (let i = 0; i < 2; i++) agent.suppress(suppression, () => ({ action: 'alert_suppress', data: {} }));
agent.unsuppress(2, { uid: 0, userName: 'root', reason: 'no more' }, () => ({ action: 'alert_unsuppress', data: {} }));
const ledger = openLedgerWriter({ path: process.argv[2] + '/ledger.db', hostId: 'H', clock: () => nowMs, keyDir: process.argv[2] + '/key', archiveDir: process.argv[2] + '/archive' });
agent.acknowledgeAudit(0, ledger.head());
agent.recordCheckpoint(ledger.checkpoint(), nowMs);
process.exit(0);
`;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-readable-'));
  execFileSync(process.execPath, ['--conditions=sentineld-source', '--input-type=module', '-e', PROGRAM, import.meta.url, directory]);
  db = new DatabaseSync(':memory:');
  db.exec(`ATTACH '${directory}/agent.db' AS agent; ATTACH '${directory}/ledger.db' AS ledger`);
  for (const { name, sql } of [...AGENT_VIEWS, ...LEDGER_VIEWS]) db.exec(`CREATE TEMP VIEW "${name}" AS ${sql}`);
});
afterAll(() => {
  db.close();
  rmSync(directory, { recursive: true });
});

describe('what readers see', () => {
  test.each([...AGENT_SCHEMA.tables, ...LEDGER_SCHEMA.tables].map((table) => [table.name, table] as const))(
    '%s: the columns that are described, with values of their types',
    (name, table) => {
      const rows = db.prepare(`SELECT * FROM temp."${name}"`).all();
      expect(rows.length).toBeGreaterThan(0);
      for (const row of rows) {
        expect(Object.keys(row)).toEqual(table.columns.map((column) => column.name));
        for (const { name: column, type, nullable } of table.columns) {
          const value = row[column];
          if (value === null) expect([column, nullable]).toEqual([column, true]);
          else
            expect([
              column,
              type === 'INTEGER' ? Number.isInteger(value) : type === 'BLOB' ? value instanceof Uint8Array : typeof value === 'string',
            ]).toEqual([column, true]);
        }
      }
    },
  );

  test.each([...AGENT_SCHEMA.tables, ...LEDGER_SCHEMA.tables].map((table) => [table.name, table] as const))(
    '%s: the types of the table behind it',
    (name, table) => {
      const schema = LEDGER_SCHEMA.tables.includes(table) ? 'ledger' : 'agent';
      const declared = new Map(
        db
          .prepare(`SELECT name, type FROM pragma_table_info(?, ?)`)
          .all(name, schema)
          .map((row) => [row['name'], row['type']]),
      );
      for (const column of table.columns) expect([column.name, declared.get(column.name)]).toEqual([column.name, column.type]);
    },
  );

  test('repeats of an alert, while its key is known and afterwards', () => {
    expect(db.prepare('SELECT dedup_key, repeats, last_seen FROM alerts ORDER BY id').all()).toEqual([
      expect.objectContaining({ dedup_key: 'old', repeats: 1, last_seen: 1050 }),
      expect.objectContaining({ dedup_key: 'new', repeats: 2, last_seen: 2050 }),
    ]);
  });

  test('the witnessed heads are those of the ledger', () => {
    const [witness] = db.prepare(LEDGER_WITNESS_SQL).all();
    const [entry] = db.prepare('SELECT sequence, lower(hex(entry_hash)) AS entry_hash FROM audit_ledger').all();
    expect(witness).toEqual(entry);
  });

  test('the checkpoints that were seen are those of the ledger', () => {
    const seen = db.prepare(LEDGER_CHECKPOINT_SEEN_SQL).all();
    const made = db.prepare('SELECT epoch, tree_size, timestamp, note, 2050 AS seen_ms FROM ledger.audit_checkpoint').all();
    expect(made).toHaveLength(1);
    expect(seen).toEqual(made);
  });

  test('hidden tables exist', () => {
    for (const table of AGENT_SCHEMA.hiddenTables) expect(() => db.prepare(`SELECT * FROM agent."${table}"`).all()).not.toThrow();
  });
});
