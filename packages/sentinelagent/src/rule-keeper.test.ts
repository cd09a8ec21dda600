import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, NOTHING, OVERRUN, SEEN, entryOf, keep, makeRules, removeRules, run, states, write } from './rule-keeper.fixture.ts';

let directory = '';
beforeEach(() => {
  directory = makeRules();
});
afterEach(() => removeRules());

describe('reload', () => {
  it('takes what is new, gone and changed, says so, and records it with who asked', async () => {
    const { book, keeper, changes } = await keep(['a', 'b', 'c']);
    write('a', { version: 2 });
    rmSync(join(directory, 'b.yaml'));
    write('d');
    const reply = await keeper.reload(ALICE);
    expect(reply).toMatchObject({
      taken: true,
      added: { count: 1, rules: [{ id: 'd', was: null }] },
      removed: { count: 1, rules: [{ id: 'b' }] },
      changed: { count: 1, rules: [{ id: 'a', version: 2, checksum: expect.stringMatching(/^[0-9a-f]{64}$/), was: { version: 1 } }] },
      unchanged: 1,
      problems: { count: 0, lines: [] },
    });
    expect(reply.before).not.toBe(reply.after);
    expect(states(book)).toEqual([
      ['a', 2, 'active'],
      ['c', 1, 'active'],
      ['d', 1, 'active'],
    ]);
    expect(changes.map(({ event }) => event)).toMatchObject([
      {
        action: 'rules_reload',
        data: {
          taken: true,
          asked_by: ALICE,
          rule_set_sha256_before: reply.before,
          rule_set_sha256_after: reply.after,
          changed: { count: 1, rules: ['a@2'] },
        },
      },
    ]);
  });

  it('takes nothing where one file is broken, and names every fault with file and line', async () => {
    const kept = await keep(['a', 'b']);
    write('a', { version: 2 });
    write('b', { sql: 'SELECT nope' });
    writeFileSync(join(directory, 'c.yaml'), 'id: c\nname: [', { mode: 0o644 });
    kept.validate = async (sql) =>
      sql.includes('nope')
        ? { ok: false, refusal: { code: 'column', message: 'There is no column nope.', position: { line: 1, column: 8 } } }
        : { ok: true, columns: ['pid', 'start_time'], tables: [], scope: 'everything' as const };
    const before = kept.book.entries;
    const reply = await kept.keeper.reload({ signal: 'SIGHUP' });
    expect(reply).toMatchObject({ taken: false, added: { count: 0 }, problems: { count: 2 } });
    expect(reply.before).toBe(reply.after);
    expect(reply.problems.lines.map((line) => line.replace(`${directory}/`, ''))).toEqual([
      expect.stringMatching(/^c\.yaml:2:\d+: /),
      expect.stringMatching(/^b\.yaml:8:10: rule b refused: There is no column nope/),
    ]);
    expect(kept.book.entries).toBe(before);
    expect(states(kept.book)).toEqual([
      ['a', 1, 'active'],
      ['b', 1, 'active'],
    ]);
    expect(kept.audit).toMatchObject([
      { action: 'rules_reload', data: { taken: false, asked_by: { signal: 'SIGHUP' }, problems: { count: 2 } } },
    ]);
    expect(kept.changes).toEqual([]);
  });

  it('takes nothing where the SQL cannot be looked at', async () => {
    const kept = await keep(['a']);
    write('a', { version: 2, sql: 'SELECT pid, start_time FROM processes' });
    kept.validate = () => Promise.reject(new SentinelError('executor.failed', { message: 'The spawner has ended' }));
    expect(await kept.keeper.reload(ALICE)).toMatchObject({
      taken: false,
      problems: { lines: ['the SQL of the rules cannot be looked at now: The spawner has ended'] },
    });
    expect(states(kept.book)).toEqual([['a', 1, 'active']]);
  });

  it('waits for the end of a cycle, and keeps what the rule came to until then', async () => {
    const kept = await keep(['a']);
    write('a', { version: 2, sql: 'SELECT pid, start_time FROM process_events' });
    kept.busy = true;
    const asked = kept.keeper.reload(ALICE);
    await expect.poll(() => kept.waiting.length).toBe(1);
    run(kept.book, 'a', NOTHING);
    entryOf(kept.book, 'a').seen = SEEN;
    expect(states(kept.book)).toEqual([['a', 1, 'active']]);
    kept.waiting[0]?.();
    expect(await asked).toMatchObject({ taken: true });
    expect(entryOf(kept.book, 'a')).toMatchObject({
      rule: { version: 2 },
      seen: SEEN,
      runs: 1,
      counts: { no_match: 1 },
      cost: { runs: 1, totalMs: 2, lastRunMs: 4000 },
      reads: ['process_events'],
    });
  });

  it('keeps a rule quarantined for as long as its query is the same', async () => {
    const { book, keeper } = await keep(['a', 'b']);
    for (const id of ['a', 'b']) for (let times = 0; times < 2; times++) run(book, id, OVERRUN);
    write('a', { version: 2 });
    write('b', { version: 2, sql: 'SELECT pid, start_time FROM processes LIMIT 1' });
    await keeper.reload(ALICE);
    expect(states(book)).toEqual([
      ['a', 2, 'quarantined'],
      ['b', 2, 'active'],
    ]);
    expect(entryOf(book, 'a')).toMatchObject({ refusal: { code: 'timeout' }, runs: 2 });
    expect(entryOf(book, 'b')).toMatchObject({ overruns: 0, refusal: null, runs: 2 });
  });

  it('looks at what is new alone, and at all of that', async () => {
    const kept = await keep(['a', 'b', 'c']);
    const asked: string[] = [];
    kept.validate = async (sql) => {
      asked.push(sql);
      return { ok: true, columns: ['pid', 'start_time', 'name'], tables: [], scope: 'everything' as const };
    };
    write('a', { version: 2 });
    write('b', { sql: 'SELECT pid, start_time, 1 AS b FROM processes' });
    write('c', { more: 'dedup: [name]\n' });
    for (let at = 0; at < 70; at++) write(`rule-${at}`);
    expect(await kept.keeper.reload(ALICE)).toMatchObject({ taken: true, added: { count: 70 }, changed: { count: 3 } });
    expect([asked.length, new Set(asked).size, asked.some((sql) => sql.includes("'a' AS rule"))]).toEqual([72, 72, false]);
    expect(entryOf(kept.book, 'a')).toMatchObject({ state: 'active', reads: ['process_events'] });
  });

  it('keeps when a rule is due for as long as its schedule is the same', async () => {
    const { book, keeper } = await keep([]);
    for (const id of ['a', 'b']) write(id, { more: 'schedule: every 1h\n' });
    await keeper.reload(ALICE);
    const now = { monotonicMs: 10, wallMs: 10 };
    for (const { timetable } of book.entries) timetable.ran(now);
    write('a', { version: 2, more: 'schedule: every 1h\n' });
    write('b', { version: 2, more: 'schedule: every 2h\n' });
    await keeper.reload(ALICE);
    expect(book.entries.map(({ timetable }) => [timetable.schedule, timetable.isDue(now)])).toEqual([
      ['every 1h', false],
      ['every 2h', true],
    ]);
  });

  it('names the file of the query where that is one of its own', async () => {
    const kept = await keep([]);
    write('a');
    writeFileSync(join(directory, 'a.yaml'), 'id: a\nname: A\ndescription: d\nseverity: low\ncategory: test\nversion: 1\n', {
      mode: 0o644,
    });
    writeFileSync(join(directory, 'a.sql'), 'SELECT pid,\n  nope FROM processes\n', { mode: 0o644 });
    kept.validate = async () => ({
      ok: false,
      refusal: { code: 'column', message: 'There is no column nope', position: { line: 2, column: 3 } },
    });
    expect((await kept.keeper.reload(ALICE)).problems.lines).toEqual([
      expect.stringContaining(`${join(directory, 'a.sql')}:2:3: rule a refused: There is no column nope`),
    ]);
  });

  it('gives up the place of a rule that is disabled now, as the store does', async () => {
    const { book, keeper } = await keep(['a']);
    entryOf(book, 'a').seen = SEEN;
    write('a', { more: 'enabled: false\n' });
    await keeper.reload(ALICE);
    expect(entryOf(book, 'a')).toMatchObject({ state: 'disabled', seen: null });
  });

  it('names no more than fits an answer', async () => {
    const { keeper } = await keep([]);
    for (let at = 0; at < 60; at++) write(`rule-${at}`);
    const reply = await keeper.reload(ALICE);
    expect([reply.added.count, reply.added.rules.length]).toEqual([60, 50]);
  });
});
