import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';
import type { HistoricScan } from '../fixtures/history.ts';

let installation: Installation;
let directory: string;
beforeEach(() => {
  installation = createInstallation();
  directory = mkdtempSync(join(tmpdir(), 'scli-backtest-'));
});
afterEach(async () => {
  await installation.close();
  rmSync(directory, { recursive: true });
});

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const atScan = (id: number): number => NOW_MS - (7 - id) * MINUTE_MS;

/** Six scans: a miner in scans 2, 3 and 5; in each interval an exec of its own, in that of scan 4 two by nginx. */
const HISTORY: readonly HistoricScan[] = [1, 2, 3, 4, 5, 6].map((id) => ({
  atMs: atScan(id),
  processes: [
    { pid: 1, name: 'init' },
    ...([2, 3, 5].includes(id) ? [{ pid: 60, ppid: 1, name: 'miner', argv: ['miner', '--pool'] }] : []),
  ],
  events: [
    { atMs: atScan(id) - 30_000, pid: 100 + id, command: { name: 'job', argv: ['job', `${id}`] } },
    ...(id === 4 ? [200, 201].map((pid) => ({ atMs: atScan(4) - 20_000, pid, command: { name: 'sh' }, parent: { name: 'nginx' } })) : []),
  ],
}));

function writeRule(id: string, query: string, { severity = 'high', dedup = 'pid' } = {}): string {
  const path = join(directory, `${id}.yaml`);
  const keys = `severity: ${severity}\ncategory: execution\nversion: 1\ndedup: [${dedup}]`;
  writeFileSync(path, `id: ${id}\nname: A rule\ndescription: d\n${keys}\nquery: |\n  ${query}\n`);
  return path;
}

const MINERS = "SELECT pid, start_time, name FROM processes WHERE name = 'miner'";
const SHELLS = "SELECT seq, pid, name, parent_name FROM process_events WHERE seq > :since_seq AND event = 'exec' AND parent_name = 'nginx'";

type Result = { readonly rules: readonly { readonly first_alerts: readonly { readonly row: unknown }[] }[] };

async function backtestJson(...words: readonly string[]): Promise<Result & { readonly status: number }> {
  const { status, out } = await installation.run(['rules', 'backtest', '--json', ...words]);
  return { ...(JSON.parse(out) as Result), status };
}

describe('rules backtest', () => {
  it('judges each scan as it was, and tells alerts from repeats', async () => {
    installation.makeHistory(HISTORY);
    const [miner, shells] = [writeRule('a-miner', MINERS), writeRule('b-shells', SHELLS, { severity: 'medium' })];
    expect(await backtestJson(miner, shells)).toMatchObject({
      status: 0,
      ended_early: false,
      scans: { total: 6, judged: 6, first: 1, last: 6 },
      noise: { verdict: 'within_so_far', alerts: 3, high: 1, budget: { alerts: 5, high: 1 } },
      rules: [
        {
          id: 'a-miner',
          findings: 3,
          alerts: 1,
          entities: 1,
          first: new Date(atScan(2)).toISOString(),
          last: new Date(atScan(5)).toISOString(),
          scans: { judged: 6, incomplete: 0, failed: 0, stopped_at: null },
          cost_ms: { median: expect.any(Number), worst: expect.any(Number) },
          first_alerts: [{ scan_id: 2, rows: 1, row: { pid: 60, name: 'miner' } }],
        },
        { id: 'b-shells', findings: 2, alerts: 2, entities: 2, first_alerts: [{ scan_id: 4, row: { pid: 200 } }, { scan_id: 4 }] },
      ],
    });
    const often = await backtestJson(miner, '--set', 'alerting.dedup_window=90s');
    expect(often).toMatchObject({ status: 1, noise: { verdict: 'above', alerts: 2, high: 2 }, rules: [{ findings: 3, alerts: 2 }] });
  });

  it('gives every scan the parameters of then, and shows nothing that came later', async () => {
    installation.makeHistory(HISTORY);
    const query =
      'SELECT :scan_id AS scan, :now AS now, :since AS since, :since_seq AS since_seq, (SELECT count(*) FROM process_events WHERE seq > :since_seq) AS n, (SELECT count(*) FROM scan_metadata) AS scans, (SELECT count(*) FROM processes) AS processes';
    const rule = writeRule('all', query, { dedup: 'scan', severity: 'low' });
    const { rules } = await backtestJson(rule, '--since', 'scan 3', '--until', 'scan 5');
    expect(rules[0]?.first_alerts.map(({ row }) => row)).toEqual([
      { scan: 3, now: atScan(3), since: atScan(2), since_seq: 2, n: 1, scans: 3, processes: 2 },
      { scan: 4, now: atScan(4), since: atScan(3), since_seq: 3, n: 3, scans: 4, processes: 1 },
      { scan: 5, now: atScan(5), since: atScan(4), since_seq: 6, n: 1, scans: 5, processes: 2 },
    ]);
  });

  it('says of which scans a rule over events could not be sure', async () => {
    installation.makeHistory(HISTORY);
    installation.changeDatabase(
      installation.paths.eventsDb,
      "UPDATE scan SET events_lost = 7 WHERE id = 3; UPDATE scan SET events_tier = 'off' WHERE id = 6; DELETE FROM process_event WHERE seq < 3",
    );
    const [miner, shells] = [writeRule('a-miner', MINERS), writeRule('b-shells', SHELLS)];
    expect(await backtestJson(miner, shells)).toMatchObject({
      rules: [
        { scans: { judged: 6, incomplete: 0 } },
        { findings: 2, scans: { judged: 6, incomplete: 4 }, incomplete: { deleted: 2, lost: 1, no_source: 1 } },
      ],
    });
    expect((await installation.run(['rules', 'backtest', shells])).out).toContain(
      'b-shells could not judge 4 of 6 scans: events are deleted by now in 2, events\n  were lost in 1, there was no event source in 1.',
    );
  });

  it('shows what it found, what it cost and whether that is too much', async () => {
    installation.makeHistory(HISTORY);
    const { status, out, err } = await installation.run(['rules', 'backtest', writeRule('a-miner', MINERS)]);
    expect([status, err]).toEqual([0, 'not recorded in the ledger: neither daemon is running\n']);
    expect(out).toMatch(
      /^6 scans, 1 of \S+ \S+ to 6 of \S+ \S+\nrule +severity +findings +alerts +entities\na-miner +high +3 +1 +1\n\na-miner: first /,
    );
    expect(out).toContain(', scan 2: pid=60, ');
    expect(out).toMatch(/cost of a scan, the rule: median [\d.]+ ms, worst [\d.]+ ms\n/);
    expect(out).toContain('within the budget so far, in less than a host-day: 1 alert, 1 of them high or');
    expect((await installation.run(['rules', 'backtest', writeRule('b-none', 'SELECT pid FROM processes WHERE pid = 9')])).out).toContain(
      'nothing was found\n',
    );
  });

  it('is recorded like a query', async () => {
    installation.makeHistory(HISTORY);
    const recorded = await installation.serve('procmond', { 'audit.append': {} });
    const { err } = await installation.run(['rules', 'backtest', writeRule('a-miner', MINERS)]);
    expect([err, recorded]).toMatchObject([
      '',
      [{ action: 'query_execute', data: { backtest: 1, outcome: 'ok', first_scan: 1, last_scan: 6, rows: 3 } }],
    ]);
  });

  it('tells what is refused, what could not be run, and that there is no rule', async () => {
    installation.makeHistory(HISTORY);
    const refused = writeRule('a-refused', 'SELECT nme FROM processes');
    const { status, out } = await installation.run(['rules', 'backtest', refused, writeRule('b-miner', MINERS)]);
    expect([status, out]).toEqual([
      1,
      expect.stringContaining('a-refused.yaml:9:10: rule a-refused:\n  refused (column): There is no column nme.'),
    ]);
    expect(out).toContain('b-miner');
    const endless = 'SELECT count(*) AS pid FROM process_events a, process_events b WHERE a.seq + b.seq > abs(-9223372036854775807 - 1)';
    expect((await installation.run(['rules', 'backtest', writeRule('c-fails', endless)])).out).toContain(
      'c-fails could not be run over 6 scans: ',
    );
    const empty = mkdtempSync(join(directory, 'empty-'));
    expect(await installation.run(['rules', 'backtest', empty])).toMatchObject({
      status: 1,
      out: 'no rules found: their files are called ID.yaml\n',
    });
  });

  it('is ended by Ctrl-C with what was found so far', async () => {
    const many = Array.from({ length: 400 }, (_, at) => ({ atMs: NOW_MS - HOUR_MS + at * 1000, processes: [{ pid: 1, name: 'miner' }] }));
    installation.makeHistory(many);
    const running = installation.run(['rules', 'backtest', writeRule('a-miner', MINERS), directory, '--json']);
    const timer = setInterval(() => {
      if (process.listenerCount('SIGINT') > 0) process.emit('SIGINT');
    }, 400);
    const { status, out } = await running;
    clearInterval(timer);
    const { ended_early: isEnded, scans } = JSON.parse(out) as { ended_early: boolean; scans: { total: number; judged: number } };
    expect([status, isEnded, scans.total, scans.judged < 400]).toEqual([130, true, 400, true]);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });
});
