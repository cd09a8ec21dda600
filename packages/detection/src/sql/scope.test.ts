import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { describe, expect, it, test } from 'vitest';
import { loadRules } from '../rules/load.ts';
import { RULE_PARAMETERS } from './policy.ts';
import { validateSql } from './validate.ts';

function scopeOf(sql: string): string {
  const verdict = validateSql(sql, { schema: EVENTS_SCHEMA, parameters: RULE_PARAMETERS, bounds: { maxSqlBytes: 65_536 } });
  return verdict.ok ? verdict.scope : `refused: ${verdict.refusal.message}`;
}

describe('a statement that has no row without a new event', () => {
  it.each([
    ['SELECT pid FROM process_events WHERE seq > :since_seq'],
    ["SELECT e.pid FROM process_events e WHERE :since_seq < e.seq AND (e.name = 'x' OR e.name = 'y')"],
    ['SELECT e.name, count(*) AS n FROM process_events e WHERE e.seq > :since_seq GROUP BY e.name HAVING count(*) > 3'],
    ['SELECT e.pid FROM process_events e LEFT JOIN processes p ON p.pid = e.pid WHERE e.seq > :since_seq'],
    ['SELECT e.pid FROM processes p LEFT JOIN process_events e ON e.pid = p.pid WHERE e.seq > :since_seq'],
    ['SELECT e.pid FROM processes p JOIN process_events e ON e.pid = p.pid AND e.seq > :since_seq'],
    ['SELECT n.pid FROM (SELECT pid FROM process_events WHERE seq > :since_seq) n JOIN processes p ON p.pid = n.pid'],
    ['WITH n AS (SELECT pid FROM process_events WHERE seq > :since_seq) SELECT n.pid FROM n LEFT JOIN processes p ON p.pid = n.pid'],
    ['SELECT pid FROM process_events WHERE seq > :since_seq UNION ALL SELECT ppid FROM process_events WHERE seq > :since_seq'],
    ['SELECT e.pid, row_number() OVER (ORDER BY e.seq) AS n FROM process_events e WHERE e.seq > :since_seq'],
  ])('%s', (sql) => expect(scopeOf(sql)).toBe('new_events'));
});

describe('a statement that looks at processes one by one', () => {
  it.each([
    ["SELECT pid, name FROM processes WHERE exe_path LIKE '/tmp/%'"],
    ["SELECT p.* FROM processes p WHERE p.parent_name = 'nginx' ORDER BY p.pid"],
    ["SELECT d.pid, d.exe_hash FROM (SELECT pid, exe_hash, lower(name) AS n FROM processes) AS d WHERE d.n = 'x'"],
    ['SELECT DISTINCT user_name FROM processes WHERE is_kthread = 0'],
  ])('%s', (sql) => expect(scopeOf(sql)).toBe('changed_processes'));
});

describe('a statement that may answer otherwise though nothing is new', () => {
  it.each([
    ['SELECT count(*) AS n FROM process_events WHERE seq > :since_seq'],
    ['SELECT pid FROM process_events'],
    ['SELECT pid FROM process_events WHERE seq >= :since_seq'],
    ['SELECT pid FROM process_events WHERE seq > :since_seq OR pid = 1'],
    ['SELECT pid FROM process_events WHERE seq > :since_seq - 100'],
    ['SELECT pid FROM process_events WHERE NOT seq > :since_seq'],
    ['SELECT pid FROM process_events WHERE seq < :since_seq'],
    ['SELECT e.pid FROM processes p LEFT JOIN process_events e ON e.pid = p.pid AND e.seq > :since_seq'],
    ['SELECT p.pid FROM processes p LEFT JOIN (SELECT pid FROM process_events WHERE seq > :since_seq) n ON n.pid = p.pid'],
    ['SELECT p.pid FROM processes p FULL JOIN (SELECT pid FROM process_events WHERE seq > :since_seq) n ON n.pid = p.pid'],
    ['SELECT pid FROM process_events WHERE seq > :since_seq UNION ALL SELECT pid FROM processes'],
    ['SELECT s.pid FROM process_events e JOIN (SELECT pid, ppid AS seq FROM processes) s ON s.pid = e.pid WHERE s.seq > :since_seq'],
    ['SELECT pid FROM processes WHERE pid NOT IN (SELECT pid FROM process_events WHERE seq > :since_seq)'],
    ['SELECT count(*) AS n FROM processes'],
    ['SELECT name, count(*) AS n FROM processes GROUP BY name'],
    ['SELECT pid FROM processes WHERE cpu_percent > 90'],
    ['SELECT pid FROM (SELECT pid, cpu_percent AS load FROM processes) WHERE load > 90'],
    ['SELECT pid, exe_hash AS h FROM processes'],
    ["SELECT pid FROM processes WHERE exe_hash = 'x'"],
    ['SELECT pid FROM processes WHERE start_time > :since'],
    ['SELECT a.pid FROM processes a JOIN processes b ON a.ppid = b.pid'],
    ['SELECT pid FROM processes LIMIT 3'],
    ['SELECT pid, row_number() OVER (ORDER BY pid) AS n FROM processes'],
    ['SELECT pid FROM processes WHERE EXISTS (SELECT 1 FROM coverage)'],
    ['SELECT pid FROM processes UNION SELECT 1'],
    ["SELECT pid FROM processes WHERE start_time < unixepoch('now') * 1000"],
    ['SELECT scan_id FROM scan_metadata'],
    ['SELECT 1 AS pid'],
  ])('%s', (sql) => expect(scopeOf(sql)).toBe('everything'));
});

test('the built-in rules look at what is new alone, but for those that ask about other processes', () => {
  const { rules } = loadRules({ builtinDirectory: new URL('../../rules', import.meta.url).pathname, directories: [] });
  const withScope = (scope: string) => rules.filter(({ sql }) => scopeOf(sql) === scope).map(({ id }) => id);
  expect(withScope('everything')).toEqual(['executable-in-temporary-directory', 'interactive-shell-without-terminal']);
  expect(withScope('new_events').length + withScope('changed_processes').length).toBe(rules.length - 2);
});
