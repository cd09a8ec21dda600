/**
 * Rules of which each event is a finding of its own, and whether each event became one alert of each of them: what is
 * stored of a program's execs is held against the alerts, one by one.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Campaign } from './campaign.ts';
import { withDatabase } from './evidence.ts';
import type { Site } from './site.ts';

/** One is run over scans and stays as it is, one gets a new version meanwhile, and one is run soon after events. */
export const ONCE_RULES = ['each-exec-once', 'each-exec-once-by-version', 'each-exec-at-once'] as const;
export type OnceRule = (typeof ONCE_RULES)[number];

/** Up to where alerts of one rule were of its first version: what was stored before and after it got the second. */
export type VersionChange = { readonly lastAlertBefore: number; readonly firstAlertAfter: number };

type OnceAlert = { readonly id: number; readonly seq: number; readonly version: number; readonly repeats: number };

/** Makes the rule's file, or puts a new one in its place at once. The query of each version is another, and finds the same. */
export function writeOnceRule(directory: string, id: OnceRule, version: number, program: string): void {
  const text = `id: ${id}
name: Each exec of one program
description: Made to find every event by itself, once.
severity: high
category: test
version: ${version}
schedule: ${id === 'each-exec-at-once' ? 'events' : 'scan'}
dedup: [seq]
query: |
  SELECT seq, timestamp_ms, pid, name, exe_path, cmdline, command_line, user_id, ppid, parent_name, parent_exe
  FROM process_events WHERE seq > :since_seq AND event = 'exec' AND exe_path = '${program}' AND pid > ${version}
`;
  const file = join(directory, `${id}.yaml`);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/** Numbers of the program's execs that are stored. */
export function execsOf(site: Site, program: string, after = 0): readonly number[] {
  const sql = "SELECT seq FROM process_events WHERE seq > ? AND event = 'exec' AND exe_path = ? ORDER BY seq";
  return withDatabase(site.paths.eventsDb, (all) => all(sql, after, program).map(({ seq }) => Number(seq)));
}

/** Execs of which no executable is known: each may be one of the program's. */
export function execsWithoutProgram(site: Site): number {
  const sql = "SELECT count(*) AS n FROM process_events WHERE event = 'exec' AND exe_path IS NULL";
  return withDatabase(site.paths.eventsDb, (all) => Number(all(sql)[0]?.['n']));
}

/** The number of the newest exec that the rule has an alert of; 0 where it has none. */
export function newestAlerted(site: Site, rule: OnceRule): number {
  const sql = "SELECT json_extract(query_result, '$[0].seq') AS seq FROM alerts WHERE rule_id = ? ORDER BY id DESC LIMIT 1";
  return withDatabase(site.paths.agentDb, (all) => Number(all(sql, rule)[0]?.['seq'] ?? 0));
}

/** Id of the newest alert of any rule; 0 where there is none. */
export function newestAlert(site: Site): number {
  return withDatabase(site.paths.agentDb, (all) => Number(all('SELECT max(id) AS id FROM alerts')[0]?.['id'] ?? 0));
}

export function countAlerts(site: Site, rule: OnceRule): number {
  return withDatabase(site.paths.agentDb, (all) => Number(all('SELECT count(*) AS n FROM alerts WHERE rule_id = ?', rule)[0]?.['n']));
}

/** Repeats are counted with the key while that is remembered, and with the alert afterwards. */
function alertsOf(site: Site, rule: OnceRule): readonly OnceAlert[] {
  const sql = `SELECT a.id, json_extract(a.query_result, '$[0].seq') AS seq, json_array_length(a.query_result) AS findings,
      a.rule_version AS version, a.repeats + coalesce(d.repeats, 0) AS repeats
    FROM alerts a LEFT JOIN alert_dedup d ON d.alert_id = a.id WHERE a.rule_id = ? ORDER BY a.id`;
  return withDatabase(site.paths.agentDb, (all) =>
    all(sql, rule).map(({ id, seq, findings, version, repeats }) => ({
      id: Number(id),
      seq: Number(seq),
      version: Number(version),
      repeats: Number(repeats) + Number(findings) - 1,
    })),
  );
}

/** Each stored exec has one alert of the rule that was never repeated, and no alert is of anything else. */
export function judgeOnce(campaign: Campaign, site: Site, rule: OnceRule, execs: readonly number[], change: VersionChange | null): void {
  const alerts = alertsOf(site, rule);
  const bySeq = Map.groupBy(alerts, ({ seq }) => seq);
  const known = new Set(execs);
  const evaluations = alerts.reduce((sum, { repeats }) => sum + 1 + repeats, 0);
  campaign.count('alerts of execs', alerts.length);
  campaign.count('evaluated', evaluations);
  campaign.say(`${rule}: ${execs.length} execs are stored, ${alerts.length} alerts, evaluated ${evaluations} times`);
  const missing = execs.filter((seq) => !bySeq.has(seq));
  campaign.expect('event-not-evaluated', named(rule, 'execs have no alert', missing));
  const doubled = [...bySeq].filter(([, some]) => some.length > 1).map(([seq]) => seq);
  campaign.expect('event-alerted-twice', named(rule, 'execs have more than one alert', doubled));
  const repeated = alerts.filter(({ repeats }) => repeats > 0).map(({ seq }) => seq);
  campaign.expect('event-evaluated-twice', named(rule, 'execs were found again after they had their alert', repeated));
  const strange = [...bySeq.keys()].filter((seq) => !known.has(seq));
  campaign.expect('alert-of-no-event', named(rule, 'alerts are of no exec that is stored', strange));
  judgeVersions(campaign, rule, alerts, change);
}

/** From the change on every alert is of the new version, and of younger events than those before. */
function judgeVersions(campaign: Campaign, rule: OnceRule, alerts: readonly OnceAlert[], change: VersionChange | null): void {
  const wrong = alerts.filter(({ id, version }) => {
    if (change === null) return version !== 1;
    return version !== 1 && version !== 2 ? true : version === 1 ? id >= change.firstAlertAfter : id <= change.lastAlertBefore;
  });
  campaign.expect(
    'wrong-version',
    named(
      rule,
      'alerts are of another version than was in force',
      wrong.map(({ seq }) => seq),
    ),
  );
  const [first, second] = [1, 2].map((wanted) => alerts.filter(({ version }) => version === wanted).map(({ seq }) => seq));
  if (change === null || first === undefined || second === undefined) return;
  campaign.count('alerts of the second version', second.length);
  campaign.expect('campaign-broke', first.length === 0 || second.length === 0 ? `${rule}: one of its versions never found anything` : null);
  const newestOfFirst = first.reduce((most, seq) => Math.max(most, seq), 0);
  const again = second.filter((seq) => seq <= newestOfFirst);
  campaign.expect('old-event-in-new-version', named(rule, 'events of the first version are of the second too', again));
}

function named(rule: string, what: string, seqs: readonly number[]): string | null {
  return seqs.length === 0 ? null : `${rule}: ${seqs.length} ${what}, the first numbers are ${seqs.slice(0, 5).join(', ')}`;
}
