/**
 * The rules that are loaded, and every definition that ever was.
 */
import { SentinelError } from '@sentineld/model/error';
import type { Rule } from '@sentineld/model/rule';
import type { WriterDatabase } from '../open.ts';

/** How many rules differ from what was stored, and how many are no longer there. */
export type SavedRules = { readonly changed: number; readonly removed: number };

/** Definitions of one rule that are kept: each is a file of 64 KiB at most. */
const MAX_VERSIONS = 100;

/**
 * Statements for the table of rules. `save` takes the whole set that is loaded: a rule that is not in it stays, for
 * the alerts that name it, with enabled 0 and removed_at. A rule that is not run forgets what it saw. Of each rule the newest
 * MAX_VERSIONS definitions are kept, with the times at which each was first and last known to be there. Must run within a transaction.
 */
export function prepareRuleRows(db: WriterDatabase): { save(rules: readonly Rule[], nowMs: number): SavedRules } {
  const upsert = db.prepare<[Record<string, unknown>]>(UPSERT_SQL);
  const versions = prepareVersions(db);
  const restore = db.prepare<[Record<string, unknown>]>(
    'UPDATE detection_rules SET removed_at = NULL, enabled = :enabled WHERE id = :id AND removed_at IS NOT NULL',
  );
  const loaded = db.prepare<[], { id: string }>('SELECT id FROM detection_rules WHERE removed_at IS NULL');
  const remove = db.prepare<[number, string]>('UPDATE detection_rules SET removed_at = ?, enabled = 0 WHERE id = ?');
  const forget = db.prepare<[]>('DELETE FROM rule_results WHERE rule_id IN (SELECT id FROM detection_rules WHERE enabled = 0)');

  const saveOne = (rule: Rule, nowMs: number): boolean => {
    const row = rowOf(rule, nowMs);
    if (versions.newest(rule.id) === row['definition']) {
      restore.run({ id: rule.id, enabled: row['enabled'] });
      return false;
    }
    upsert.run(row);
    versions.keep({ id: rule.id, version: rule.version, checksum: rule.checksum, nowMs, definition: row['definition'] });
    return true;
  };

  return {
    save: (rules, nowMs) => {
      const ids = new Set(rules.map((rule) => rule.id));
      if (ids.size < rules.length) throw new SentinelError('internal.bug', { message: 'Two of the rules to be saved have the same id.' });
      // Those that were there until now, also the ones that are replaced by this.
      versions.see(nowMs);
      const changed = rules.filter((rule) => saveOne(rule, nowMs)).length;
      const gone = loaded.all().filter(({ id }) => !ids.has(id));
      for (const { id } of gone) remove.run(nowMs, id);
      forget.run();
      return { changed, removed: gone.length };
    },
  };
}

type Versions = {
  /** The definition that a rule had last. */
  newest(ruleId: string): string | undefined;
  keep(version: { id: string; version: number; checksum: string; nowMs: number; definition: unknown }): void;
  /** Says of the rules that are loaded that they are there. */
  see(nowMs: number): void;
};

function prepareVersions(db: WriterDatabase): Versions {
  const newest = db.prepare<[string], { definition: string }>(
    'SELECT definition FROM detection_rule_versions WHERE rule_id = ? ORDER BY id DESC LIMIT 1',
  );
  const keep = db.prepare<[Record<string, unknown>]>(
    `INSERT INTO detection_rule_versions (rule_id, version, checksum, recorded_at, last_seen, definition)
     VALUES (:id, :version, :checksum, :nowMs, :nowMs, :definition)`,
  );
  const prune = db.prepare<[Record<string, unknown>]>(
    `DELETE FROM detection_rule_versions WHERE rule_id = :id AND id <= (
       SELECT id FROM detection_rule_versions WHERE rule_id = :id ORDER BY id DESC LIMIT 1 OFFSET ${MAX_VERSIONS})`,
  );
  const see = db.prepare<[number]>(
    `UPDATE detection_rule_versions SET last_seen = ? WHERE id IN (
       SELECT max(v.id) FROM detection_rules r JOIN detection_rule_versions v ON v.rule_id = r.id WHERE r.removed_at IS NULL GROUP BY r.id)`,
  );
  return {
    newest: (ruleId) => newest.get(ruleId)?.definition,
    keep: (version) => {
      keep.run(version);
      prune.run({ id: version.id });
    },
    see: (nowMs) => void see.run(nowMs),
  };
}

const UPSERT_SQL = `
INSERT INTO detection_rules (id, name, description, version, sql_query, severity, category, tags, enabled, author,
  created_at, updated_at, source_type, source_path, checksum, attack, dedup_keys, removed_at)
VALUES (:id, :name, :description, :version, :sql, :severity, :category, :tags, :enabled, :author,
  :nowMs, :nowMs, :source, :sourcePath, :checksum, :attack, :dedupKeys, NULL)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, version = excluded.version,
  sql_query = excluded.sql_query, severity = excluded.severity, category = excluded.category, tags = excluded.tags,
  enabled = excluded.enabled, author = excluded.author, updated_at = excluded.updated_at, source_type = excluded.source_type,
  source_path = excluded.source_path, checksum = excluded.checksum, attack = excluded.attack,
  dedup_keys = excluded.dedup_keys, removed_at = NULL`;

function rowOf(rule: Rule, nowMs: number): Record<string, unknown> {
  return {
    ...rule,
    tags: JSON.stringify(rule.tags),
    attack: JSON.stringify(rule.attack),
    dedupKeys: JSON.stringify(rule.dedupKeys),
    enabled: rule.enabled ? 1 : 0,
    nowMs,
    definition: definitionOf(rule),
  };
}

/** In an order that stays, so that the same rule always gives the same text; what is undefined is left out of it. */
const DEFINITION_KEYS: readonly (keyof Rule)[] = [
  'id',
  'name',
  'description',
  'severity',
  'category',
  'tags',
  'attack',
  'version',
  'author',
  'sql',
  'dedupKeys',
  'dedupWith',
  'schedule',
  'enabled',
  'source',
  'sourcePath',
  'checksum',
];

function definitionOf(rule: Rule): string {
  return JSON.stringify(rule, [...DEFINITION_KEYS]);
}
