import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { parseRule } from '../rules/rule-document.ts';
import { MAX_EXECUTED_SQL_BYTES } from '../sql/executor-client.ts';
import { validateSql } from '../sql/validate.ts';
import { convertSigmaRule, type SigmaConversion } from './convert.ts';

const ID = '5a1c1a6e-1c9e-4b0e-9b0a-0123456789ab';
const HEAD = `title: A shell of the web server
id: ${ID}
logsource:
  product: linux
  category: process_creation
`;
const DETECTION = `detection:
  selection:
    ParentImage|endswith: '/nginx'
  condition: selection
`;

function convert(text: string): SigmaConversion {
  return convertSigmaRule({ path: '/s/rule.yml', text });
}

function accepted(text: string): Extract<SigmaConversion, { ok: true }> {
  const conversion = convert(text);
  if (!conversion.ok) throw new Error(conversion.problems.map(({ message }) => message).join('; '));
  return conversion;
}

function isValid(sql: string): unknown {
  const verdict = validateSql(sql, { schema: EVENTS_SCHEMA, parameters: [':since_seq'], bounds: { maxSqlBytes: MAX_EXECUTED_SQL_BYTES } });
  return verdict.ok || verdict.refusal;
}

describe('a Sigma rule', () => {
  it('becomes a rule file with what people read of it', () => {
    const { id, title, text, sql } = accepted(`${HEAD.replace('5a1c1a6e', '5A1C1A6E')}status: experimental
description: |
  What it finds.\t
  More of it.
references:
  - https://example.org/a
  - https://example.org/b
author: A. N. Other,  B. \u202eElse
license: DRL 1.1
date: 2024-01-31
modified: 2024-02-29
tags:
  - attack.initial_access
  - attack.T1190
  - attack.t1059.004
  - attack.g0016
  - cve.2024-3094
falsepositives:
  - Builds
  - Backups
level: informational
fields: [Image]
${DETECTION}`);
    expect([id, title]).toEqual([ID, 'A shell of the web server']);
    expect(text).toBe(`# Converted from the Sigma rule of this id by "sentinelcli rules import".

id: ${ID}
name: A shell of the web server
description: |-
  What it finds.
  More of it.
severity: low
category: initial-access
version: 20240229
author: A. N. Other, B. \\u{202e}Else
license: DRL 1.1
tags:
  - sigma
  - status.experimental
  - informational
  - attack.initial_access
  - attack.g0016
  - cve.2024-3094
attack:
  - T1190
  - T1059.004
dedup:
  - exe_path
  - cmdline
  - user_id
  - parent_exe
references:
  - https://example.org/a
  - https://example.org/b
false_positives: |-
  Builds
  Backups
query: |
  SELECT seq, timestamp_ms, pid, start_ticks, name, exe_path, cmdline, command_line, user_id, ppid,
         parent_name, parent_exe, parent_cmdline, boot_id
  FROM process_events
  WHERE event = 'exec' AND seq > :since_seq
    AND (
      parent_exe LIKE '%/nginx'
    )
`);
    const parsed = parseRule({ path: 'x.yaml', text, checksum: '' }, 'file');
    expect(parsed).toMatchObject({ ok: true, rule: { id: ID, sql, license: 'DRL 1.1', severity: 'low', enabled: true } });
    expect(isValid(sql)).toBe(true);
  });

  it('that says little becomes one all the same', () => {
    const parsed = parseRule({ path: 'x.yaml', text: accepted(HEAD + DETECTION).text, checksum: '' }, 'file');
    expect(parsed).toMatchObject({
      ok: true,
      rule: { description: 'A shell of the web server', severity: 'medium', category: 'process', version: 1, tags: ['sigma'], attack: [] },
    });
  });

  it('with a thousand alternatives is within the bounds', () => {
    const list = Array.from({ length: 1_093 }, (_, at) => `      - '@some-scope/package-${at}@1.0.${at}'\n`).join('');
    const { sql } = accepted(`${HEAD}detection:\n  s:\n    CommandLine|contains:\n${list}  condition: not s\n`);
    expect(isValid(sql)).toBe(true);
    expect(Math.max(...sql.split('\n').map(({ length }) => length))).toBeLessThan(160);
  });

  it('with detections that its condition does not name is not held to them', () => {
    const { sql } = accepted(`${HEAD}detection:\n  a: {Image: x}\n  b: {NoSuchField: x}\n  condition: a\n`);
    expect(sql).toContain("exe_path LIKE 'x'");
  });

  it('takes a list of conditions for alternatives', () => {
    const { sql } = accepted(`${HEAD}detection:\n  a: {Image: x}\n  b: {Image: y}\n  condition: [a, b]\n`);
    expect(sql).toContain("exe_path LIKE 'x' OR exe_path LIKE 'y'");
  });
});

const longList = (values: number, length: number): string => `      - '${'x'.repeat(length)}'\n`.repeat(values);

describe('what is refused is told with its place', () => {
  const cases: readonly (readonly [text: string, line: number | null, column: number | null, message: RegExp])[] = [
    ['', 1, 1, /holds no Sigma rule/],
    ['- a\n', 1, 1, /holds no Sigma rule/],
    ['title: [\n', 2, 1, /Not valid YAML/],
    [`${HEAD}${DETECTION}---\ntitle: b\n`, 10, 1, /second document/],
    [`${HEAD}x: &a 1\n${DETECTION}`, 6, 4, /anchor/],
    [`${HEAD}correlation: {type: event_count}\n`, 6, 1, /correlation of several events/],
    [`${HEAD}filter: {rules: any}\n`, 6, 1, /filter for other rules/],
    [`action: global\n${HEAD}`, 1, 1, /collection of rules/],
    [HEAD, 1, 1, /"detection" is missing/],
    [(HEAD + DETECTION).replace(ID, 'no-uuid'), 2, 5, /it is not a UUID/],
    [(HEAD + DETECTION).replace(/^id.*\n/m, ''), 1, 1, /"id" is missing/],
    [`${HEAD}level: hihg\n${DETECTION}`, 6, 8, /no such level/],
    [`${HEAD}tags: attack.t1059\n${DETECTION}`, 6, 7, /not a list/],
    [(HEAD + DETECTION).replace('linux', 'windows'), 3, 1, /looks at product "windows", category "process_creation"$/],
    [(HEAD + DETECTION).replace('process_creation', 'file_event'), 3, 1, /category "file_event"/],
    [(HEAD + DETECTION).replace('logsource:\n', 'logsource:\n  service: auditd\n'), 3, 1, /service "auditd"/],
    [`${HEAD}detection:\n  a: {Image: x}\n`, 7, 3, /condition is missing/],
    [`${HEAD}detection:\n  a: {Image: x}\n  condition: 1\n`, 8, 3, /condition is not a text/],
    [`${HEAD}detection:\n  a: {Image: x}\n  condition: []\n`, 8, 3, /condition is not a text/],
    [`${HEAD}detection:\n  a: {Image: x}\n  condition: a and b\n`, 8, 3, /names "b", and there is no such detection/],
    [`${HEAD}detection:\n  a: {Image: x}\n  condition: [a, b]\n`, 8, 18, /names "b"/],
    [`${HEAD}detection:\n  a: {Image: x}\n  timeframe: 5m\n  condition: a\n`, 8, 3, /timeframe cannot be converted/],
    [`${HEAD}detection:\n  a: word\n  condition: a\n`, 7, 3, /keyword without a field/],
    [`${HEAD}detection:\n  a: [b, {Image: x}]\n  condition: a\n`, 7, 7, /keyword without a field/],
    [`${HEAD}detection:\n  a: []\n  condition: a\n`, 7, 3, /empty list/],
    [`${HEAD}detection:\n  a: {}\n  condition: a\n`, 7, 3, /empty mapping/],
    [`${HEAD}detection:\n  a:\n    Image: x\n    Hashes: y\n  condition: a\n`, 9, 5, /^Hashes: the field cannot be answered/],
    [`${HEAD}detection:\n  a:\n    Image: [x, 1.5]\n  condition: a\n`, 8, 16, /^Image: the value is neither/],
    [HEAD.replace('A shell', 'A'.repeat(120)) + DETECTION, null, null, /As a rule file it would be refused: "name".*longer than 120/],
    [`${HEAD}tags: [Two words]\n${DETECTION}`, null, null, /As a rule file it would be refused: "tags"/],
    [
      `${HEAD}detection:\n  a:\n    CommandLine|contains:\n${longList(100, 700)}  condition: a\n`,
      109,
      3,
      /comes to more than the 65536 bytes that a rule file may have/,
    ],
    [
      `${HEAD}detection:\n  a:\n    CommandLine|contains:\n${longList(200, 1_000)}  condition: a${' or a'.repeat(200)}\n`,
      209,
      3,
      /comes to more than/,
    ],
    [
      `${HEAD}description: ${'d'.repeat(3_900)}\ndetection:\n  a:\n    CommandLine|contains:\n${longList(62, 990)}  condition: a\n`,
      null,
      null,
      /As a rule file it would have \d+ bytes, at most 65536/,
    ],
  ];
  it.each(cases)('%#', (text, line, column, message) => {
    const conversion = convert(text);
    expect(conversion).toMatchObject({
      ok: false,
      problems: [{ file: '/s/rule.yml', line, column, message: expect.stringMatching(message), hint: expect.stringMatching(/./) }],
    });
  });

  it('with its id and title, and every reason at once', () => {
    const conversion = convert(`${HEAD}detection:\n  a: {CurrentDirectory: x, LogonId: 0}\n  condition: a\n`);
    expect(conversion).toMatchObject({
      ok: false,
      id: ID,
      title: 'A shell of the web server',
      problems: [{ key: 'CurrentDirectory', ruleId: ID }, { key: 'LogonId' }],
    });
  });
});

describe('conditions', () => {
  const database = new DatabaseSync(':memory:');
  const columns = EVENTS_SCHEMA.tables.find(({ name }) => name === 'process_events')?.columns.map(({ name }) => name) ?? [];
  database.exec(`CREATE TABLE process_events (${columns.join(', ')})`);
  afterAll(() => database.close());

  /** Each detection asks whether one field is x; a field is x, something else, or not there. */
  const FIELDS = { a: 'Image', b: 'CommandLine', c: 'ParentImage', d: 'ParentCommandLine' } as const;
  type Node = { readonly text: string; readonly holds: (row: Readonly<Record<string, string | null>>) => boolean };
  const name = fc.constantFrom(...(['a', 'b', 'c', 'd'] as const)).map((text): Node => ({ text, holds: (row) => row[text] === 'x' }));
  const all: Node = { text: 'all of them', holds: (row) => Object.values(row).every((value) => value === 'x') };
  const { node } = fc.letrec<{ node: Node }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      name,
      fc.constant(all),
      tie('node').map((inner): Node => ({ text: `not (${inner.text})`, holds: (row) => !inner.holds(row) })),
      fc
        .tuple(tie('node'), tie('node'))
        .map(([left, right]): Node => ({ text: `(${left.text} and ${right.text})`, holds: (row) => left.holds(row) && right.holds(row) })),
      fc
        .tuple(tie('node'), tie('node'))
        .map(([left, right]): Node => ({ text: `(${left.text}) or ${right.text}`, holds: (row) => left.holds(row) || right.holds(row) }))
        .map(({ text, holds }): Node => ({ text: `(${text})`, holds })),
    ),
  }));
  const cell = fc.constantFrom('x', 'y', null);

  it('are true or false, whatever is not known of an event', () => {
    const detections = Object.entries(FIELDS).map(([key, field]) => `  ${key}: {${field}: x}\n`);
    const insert = database.prepare(
      'INSERT INTO process_events (seq, event, exe_path, cmdline, parent_exe, parent_cmdline) VALUES (?, ?, ?, ?, ?, ?)',
    );
    fc.assert(
      fc.property(node, fc.array(fc.record({ a: cell, b: cell, c: cell, d: cell }), { minLength: 5, maxLength: 5 }), (condition, rows) => {
        const { sql } = accepted(`${HEAD}detection:\n${detections.join('')}  condition: ${condition.text}\n`);
        database.exec('DELETE FROM process_events');
        rows.forEach(({ a, b, c, d }, at) => insert.run(at + 1, 'exec', a, b, c, d));
        const found = database
          .prepare(sql)
          .all({ since_seq: 0 })
          .map(({ seq }) => seq);
        expect(found).toEqual(rows.flatMap((row, at) => (condition.holds(row) ? [at + 1] : [])));
      }),
      { numRuns: 200 },
    );
  });

  it('see only new execs', () => {
    const { sql } = accepted(HEAD + DETECTION);
    database.exec(`DELETE FROM process_events; INSERT INTO process_events (seq, event, parent_exe)
      VALUES (1, 'exec', '/sbin/nginx'), (2, 'exit', '/sbin/nginx'), (3, 'exec', '/sbin/NGINX'), (4, 'exec', NULL)`);
    expect(
      database
        .prepare(sql)
        .all({ since_seq: 1 })
        .map(({ seq }) => seq),
    ).toEqual([3]);
  });
});
