import { describe, expect, test } from 'vitest';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { RULE_PARAMETERS } from '../sql/policy.ts';
import { conditionsOf, type Condition } from './conditions.ts';

const of = (sql: string): Condition | null => conditionsOf(sql, { schema: EVENTS_SCHEMA, parameters: RULE_PARAMETERS });

/** As one line: all(…), any(…), and of tests the expression with the columns that its parameters stand for. */
function line(condition: Condition | null): string {
  if (condition === null) return 'none';
  if (condition.kind === 'unknown') return `? ${condition.why}`;
  if (condition.kind !== 'test') return `${condition.kind}(${condition.parts.map(line).join('; ')})`;
  return condition.values.reduce((text, { parameter, column }) => text.replace(`:${parameter}`, `<${column}>`), condition.expression);
}

describe('conditions', () => {
  test.each([
    ['SELECT pid FROM processes WHERE pid = 1', '<pid> = 1'],
    [
      "SELECT pid, name FROM processes WHERE pid = 1 AND (name = 'a' OR (name GLOB 'b*' OR pid > 5)) AND NOT pid < 0",
      "all(<pid> = 1; any(<name> = 'a'; <name> GLOB 'b*'; <pid> > 5); NOT <pid> < 0)",
    ],
    [
      "SELECT p.pid AS id, p.name FROM processes AS p WHERE p.pid = 1 AND Name = 'é€' AND lower(p.name) LIKE '%x%'",
      "all(<id> = 1; <name> = 'é€'; lower(<name>) LIKE '%x%')",
    ],
    ["SELECT * FROM processes WHERE coalesce(exe_path, '') = ''", "coalesce(<exe_path>, '') = ''"],
    ['SELECT a.pid AS one, b.pid AS two FROM processes AS a JOIN processes AS b ON a.ppid = b.pid WHERE b.pid = 1', '<two> = 1'],
    ['SELECT pid FROM processes WHERE count IS NULL', '? the finding does not tell count'],
    ["SELECT pid FROM processes WHERE name = 'x'", '? the finding does not tell name'],
    ['SELECT seq FROM process_events WHERE seq > :since_seq AND seq < 5', 'all(? what :since_seq was then is not kept; <seq> < 5)'],
    ['SELECT pid FROM processes WHERE pid IN (SELECT ppid FROM processes)', '? it looks at other rows, as they were then'],
    ["SELECT lower(name) AS reason FROM processes WHERE reason = 'x'", "<reason> = 'x'"],
    [
      "SELECT d.pid, d.exe FROM (SELECT p.pid, p.exe_path AS exe, CASE WHEN p.exe_path GLOB '/tmp/*' THEN 't' END AS place FROM processes AS p WHERE p.pid > 1 AND p.name = 'x') AS d WHERE d.place = 't' AND exe <> ''",
      "all(all(<pid> > 1; ? the finding does not tell p.name); all((CASE WHEN <exe> GLOB '/tmp/*' THEN 't' END) = 't'; <exe> <> ''))",
    ],
    ["SELECT pid FROM (SELECT pid, lower(name) AS low FROM processes) WHERE low = 'x'", '? the finding does not tell name'],
    ['SELECT pid FROM processes', 'none'],
    ['DELETE FROM processes', 'none'],
    ['SELECT 1 UNION SELECT 2', 'none'],
    ["SELECT /* WHERE */ pid FROM processes WHERE '😀' <> '' AND pid IS NULL", "all('😀' <> ''; <pid> IS NULL)"],
  ])('of %s', (sql, expected) => {
    expect(line(of(sql))).toBe(expected);
  });

  test('a name that two tables of the result have is told only as it is written there', () => {
    const sql = 'SELECT a.pid AS one, b.pid AS two FROM processes AS a JOIN processes AS b ON a.ppid = b.pid WHERE a.pid = 1 AND c.pid = 2';
    expect(line(of(sql))).toBe('all(<one> = 1; ? the finding does not tell c.pid)');
  });

  test('a thousand alternatives are one list', () => {
    const terms = Array.from({ length: 60 }, (_, at) => `name = 'n${at}'`);
    const found = of(`SELECT name FROM processes WHERE ${terms.join(' OR ')}`);
    expect(found?.kind === 'any' && found.parts.length).toBe(60);
  });
});
