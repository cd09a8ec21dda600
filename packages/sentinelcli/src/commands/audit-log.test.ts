import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

type Logged = { readonly sequence: number; readonly action: string; readonly data: unknown; readonly body?: unknown };

const START_MS = NOW_MS - 600_000;
const run = (...words: string[]) => installation.run(['audit', 'log', ...words]);
const jsonOf = async (...words: string[]): Promise<readonly Logged[]> => JSON.parse((await run('--json', ...words)).out) as Logged[];
const numbersOf = async (...words: string[]): Promise<readonly number[]> => (await jsonOf(...words)).map(({ sequence }) => sequence);

describe('audit log', () => {
  it('shows the newest entries, oldest first, within 80 columns', async () => {
    installation.makeSignedLedger(60, {
      entries: { 59: { actor: 'sentinelcli', action: 'query_execute', data: { sql: 'x'.repeat(500), name: '\u001b[2J\u202e' } } },
    });
    const { status, out, err } = await run('--limit', '3');
    expect(status).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.filter((_, at) => at % 2 === 0).map((line) => line.split(/ +/)[0])).toEqual(['58', '59', '60']);
    expect(lines[2]).toMatch(/^59 {2}\d\d-\d\d \d\d:\d\d:\d\d {2}sentinelcli {4}query_execute$/);
    expect(lines[3]).toMatch(/^ {4}\{"sql":"x+…$/);
    expect(lines.every((line) => line.length <= 80)).toBe(true);
    expect(err).toBe('only the newest 3 are shown; --limit N shows more\n');
    expect((await run('--limit', '60')).err).toBe('');
  });

  it('lets nothing of an entry reach the terminal, and gives all of it as JSON', async () => {
    const hostile = { name: '\u001b[2J\u202e\u0000', n: 1 };
    installation.makeSignedLedger(3, { entries: { 2: { actor: 'proc\u001b]0;x', action: 'st\nart', data: hostile } } });
    const { out } = await run();
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(out).toContain('proc\\x1b]0;x   st\\nart');
    expect((await jsonOf('--from', '2', '--to', '2'))[0]).toMatchObject({ action: 'st\nart', data: hostile, format_version: 2, epoch: 1 });
  });

  it('chooses by actor, action, number and time', async () => {
    installation.makeSignedLedger(9, {
      entries: { 4: { actor: 'sentinelagent', action: 'rule_execute' }, 5: { actor: 'sentinelagent' }, 7: { action: 'rule_rejected' } },
    });
    expect(await numbersOf('--actor', 'sentinelagent')).toEqual([4, 5]);
    expect(await numbersOf('--action', 'rule_execute', '--action', 'rule_rejected')).toEqual([4, 7]);
    expect(await numbersOf('--from', '3', '--to', '5')).toEqual([3, 4, 5]);
    expect(await numbersOf('--since', String(START_MS + 6), '--until', String(START_MS + 8))).toEqual([6, 7]);
    expect(await numbersOf('--from', '8', '--limit', '1')).toEqual([9]);
    expect(await numbersOf('--actor', 'sentinelcli')).toEqual([]);
    expect((await run('--actor', 'sentinelcli')).out).toBe('no entries\n');
  });

  it('takes what is said as a value, never as SQL', async () => {
    installation.makeSignedLedger(2);
    const { status, err } = await run('--actor', "x' OR 1=1 --");
    expect([status, err.includes('one of procmond, sentinelagent, sentinelcli')]).toEqual([2, true]);
  });

  it('has one form at a time', async () => {
    installation.makeSignedLedger(1);
    const { status, err } = await run('--json', '--jsonl');
    expect([status, JSON.parse(err)]).toMatchObject([2, { error: { message: '--json and --jsonl exclude each other' } }]);
  });

  it('takes a scan as a time', async () => {
    installation.makeHistory([{ atMs: START_MS + 4, processes: [{ pid: 1 }] }]);
    installation.makeSignedLedger(6);
    expect(await numbersOf('--since', 'scan 1')).toEqual([4, 5, 6]);
    expect(await numbersOf('--until', 'scan 1')).toEqual([1, 2, 3, 4]);
  });

  it('goes through more than a page, an object a line', async () => {
    installation.makeSignedLedger(350);
    const { out } = await run('--jsonl', '--limit', '300');
    const lines = out.trimEnd().split('\n');
    expect([lines.length, lines[0]?.includes('"sequence":51,'), lines.at(-1)?.includes('"sequence":350,')]).toEqual([300, true, true]);
  });

  it('has the details that are kept beside an entry', async () => {
    const body = JSON.stringify({ many: 'x'.repeat(20_000) });
    installation.makeSignedLedger(2, { bodies: [body] });
    const hash = '(SELECT lower(hex(blake3)) FROM audit_body)';
    installation.changeDatabase(
      installation.paths.ledgerDb,
      `UPDATE audit_ledger SET event_data = '{"body":{"blake3":"' || ${hash} || '","size_bytes":20011},"start":"{"}' WHERE sequence = 2`,
    );
    expect((await jsonOf('--from', '2'))[0]).toMatchObject({ data: { body: { size_bytes: 20_011 } }, body: { many: 'x'.repeat(20_000) } });
    expect((await run('--from', '2')).out).toContain('{"many":"xxx');
  });

  it('reads a ledger of format version 1', async () => {
    installation.makeLedger(2);
    expect(await numbersOf()).toEqual([1, 2]);
  });

  it('says that there is no ledger', async () => {
    const { status, err } = await run();
    expect([status, err.split('\n')[0]]).toEqual([4, 'sentinelcli: nothing recorded yet: there is no ledger.db']);
  });
});
