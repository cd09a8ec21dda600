/**
 * Decisions of operators about alerts as people and programs are told of them: that one is handled, and which findings
 * raise none. Reasons, names and values are shown through what escapes them.
 */
import type { Acknowledgement, Condition, Suppression } from '@sentineld/model/alert-decision';
import type { CommandContext } from './command.ts';
import { fitCells } from './output/cells.ts';
import { jsonText } from './output/json.ts';
import { labelled } from './output/labelled.ts';
import { isoTime, localTime } from './output/times.ts';

const MOST_VALUE_CELLS = 200;

export function acknowledgementJson({ atMs, by, uid, reason }: Acknowledgement): Readonly<Record<string, unknown>> {
  return { time: isoTime(atMs), by, uid, reason };
}

/** By whom, when and why, in a sentence. */
export function acknowledgementText({ atMs, by, uid, reason }: Acknowledgement): string {
  return `acknowledged by ${who(uid, by === `uid ${uid}` ? null : by)} at ${localTime(atMs)}: ${reason}`;
}

/** What has become of a suppression by now; its time may be over before the agent notices. */
export function suppressionState({ ended, expiresMs }: Suppression, nowMs: number): 'holds' | 'ended' | 'expired' {
  if (ended !== null) return ended.uid === null ? 'expired' : 'ended';
  return expiresMs <= nowMs ? 'expired' : 'holds';
}

export function suppressionJson(suppression: Suppression, nowMs: number): Readonly<Record<string, unknown>> {
  const { id, ruleId, conditions, alertId, reason, uid, userName, createdMs, expiresMs, hits, lastHitMs, ended } = suppression;
  return {
    id,
    state: suppressionState(suppression, nowMs),
    rule_id: ruleId,
    conditions,
    alert_id: alertId,
    reason,
    uid,
    user_name: userName,
    created: isoTime(createdMs),
    expires: isoTime(expiresMs),
    hits,
    last_hit: lastHitMs === null ? null : isoTime(lastHitMs),
    ended: ended === null ? null : { time: isoTime(ended.atMs), uid: ended.uid, user_name: ended.userName, reason: ended.reason },
  };
}

/** A suppression as labelled lines. */
export function suppressionLines(context: CommandContext, suppression: Suppression): string {
  const { id, ruleId, conditions, alertId, reason, uid, userName, createdMs, expiresMs, ended } = suppression;
  const part = (label: string, text: string | readonly string[]): string => labelled(context, label, text);
  const state = suppressionState(suppression, context.now());
  return [
    part(`${id}`, `${ruleId}, ${state === 'holds' ? `until ${localTime(expiresMs)}` : state}`),
    part('  where', whereLines(conditions)),
    part('  alert', alertId === null ? [] : [`made from alert ${alertId}`]),
    part('  by', `${who(uid, userName)} at ${localTime(createdMs)}: ${reason}`),
    part('  hid', hitsText(suppression)),
    part('  ended', endedLines(ended, suppression, state)),
  ].join('');
}

function endedLines(ended: Suppression['ended'], { expiresMs }: Suppression, state: string): readonly string[] {
  if (state === 'holds') return [];
  if (ended === null || ended.uid === null) return [`its time was over at ${localTime(expiresMs)}`];
  return [`by ${who(ended.uid, ended.userName)} at ${localTime(ended.atMs)}: ${ended.reason ?? ''}`];
}

/** Values as JSON, so that nothing in them can pass for the text around; none stands for every finding. */
export function whereLines(conditions: readonly Condition[]): readonly string[] {
  if (conditions.length === 0) return ['every finding of the rule that is not critical'];
  return conditions.map(
    ({ column, value }) => `${column} ${value === null ? 'is NULL' : `= ${fitCells(jsonText(value), MOST_VALUE_CELLS)}`}`,
  );
}

function hitsText({ hits, lastHitMs }: Pick<Suppression, 'hits' | 'lastHitMs'>): string {
  if (lastHitMs === null) return 'nothing so far';
  return `${hits} ${hits === 1 ? 'finding' : 'findings'}, the last at ${localTime(lastHitMs)}`;
}

function who(uid: number, name: string | null): string {
  return name === null ? `uid ${uid}` : `${name} (uid ${uid})`;
}
