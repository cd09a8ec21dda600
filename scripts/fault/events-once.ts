/**
 * `events-once`: SIGKILL to the agent, its spawner and its executor at random moments while programs are executed all the
 * time. Each exec that is stored becomes one alert of each rule that asks for it: none is passed over, none looked at twice.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askRules } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildProgram } from './rig/compiled.ts';
import { eventually } from './rig/eventually.ts';
import { examine, examineQuiet, withDatabase } from './rig/evidence.ts';
import { startHelper, type Helper } from './rig/helper.ts';
import { expectGone, familyOf, killPart, reportUnaskedEnds, victimsOf } from './rig/kills.ts';
import {
  countAlerts,
  execsOf,
  execsWithoutProgram,
  judgeOnce,
  newestAlert,
  newestAlerted,
  ONCE_RULES,
  writeOnceRule,
  type VersionChange,
} from './rig/once.ts';
import { signalProcess } from './rig/processes.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { DAEMONS, describeEnd, openSite, scansMore, settled, type Part, type Site } from './rig/site.ts';

const VICTIMS = ['sentinelagent', 'spawner', 'executor'] as const satisfies readonly Part[];
/** Each exec is three alerts, and each alert an entry of the ledger and a line of the file. */
const RATE = 25;
/** What is over sooner is sometimes stored without the program that it was. */
const LIFE_MS = 15;
/** Longer than a campaign takes; it ends with the campaign. */
const STORM_SECONDS = 36_000;
/** A cycle keeps a thousand rows of a rule (detection.row_limit): with more waiting than this nothing is killed. */
const MOST_WAITING = 400;
const PATIENCE_MS = 90_000;
/** Of moments in a row at which the chosen part does not run. */
const MOST_MISSES = 100;
/** Of kills that are aimed at a cycle: so long is an alert waited for, and so long after it the kill may come. */
const AIM_PATIENCE_MS = 3_000;
const AFTER_ALERT_MS = 12;
const LOOK_EVERY_MS = 2;
/** Of alerts that should be there with the next cycle. */
const REST_PATIENCE_MS = 30_000;
const SAY_EVERY = 25;
const [, CHANGED_RULE] = ONCE_RULES;

type Stage = {
  readonly site: Site;
  /** What is executed all the time. */
  readonly program: string;
  /** The directory of the rules that look for it. */
  readonly rules: string;
};

export const eventsOnce = defineFault({
  name: 'events-once',
  summary: 'SIGKILL to the agent, its spawner and its executor while rules look at events',
  rounds: 200,
  quickRounds: 3,
  needs: ['root', 'gcc'],
  world: 'host pids',
  run: async (campaign) => {
    const stage = openStage(campaign);
    await settled(stage.site);
    const events = (await stage.site.procmond())?.collection.events;
    if (events?.tier !== 'kernel') throw new Error(`no events from the kernel: ${events?.reasons.join('; ') ?? 'no answer'}`);
    const storm = startHelper(campaign, stage.program, [String(STORM_SECONDS), String(RATE), '1', String(LIFE_MS)]);
    await storm.answer('ready');
    storm.say('go');
    const change = await killAll(campaign, stage);
    const found = countAlerts(stage.site, CHANGED_RULE);
    await eventually(PATIENCE_MS, () => countAlerts(stage.site, CHANGED_RULE) > found);
    const made = await endStorm(storm);
    await rest(campaign, stage);
    await judge(campaign, stage, made, change);
  },
});

function openStage(campaign: Campaign): Stage {
  const program = buildProgram(campaign.cleanup, 'exec-storm');
  const rules = join(temporaryDirectory(campaign.cleanup), 'rules');
  mkdirSync(rules);
  for (const rule of ONCE_RULES) writeOnceRule(rules, rule, 1, program);
  return { site: openSite(campaign, { settings: [`detection.rules_dirs=[${rules}]`] }), program, rules };
}

/** All kills, with the new version of a rule half way. */
async function killAll(campaign: Campaign, stage: Stage): Promise<VersionChange | null> {
  const { random, rounds } = campaign;
  const victims = victimsOf(random, VICTIMS, Math.ceil(rounds / VICTIMS.length)).slice(0, rounds);
  let change: VersionChange | null = null;
  for (let misses = 0; victims.length > 0 && misses < MOST_MISSES;) {
    const [wanted = 'executor'] = victims;
    campaign.begin(rounds - victims.length + 1);
    if (victims.length <= rounds / 2) change ??= await changeVersion(campaign, stage);
    const isDone = await killOnce(campaign, stage, wanted);
    misses = isDone ? 0 : misses + 1;
    if (isDone) victims.shift();
    if (isDone && victims.length % SAY_EVERY === 0) campaign.say(`${rounds - victims.length} of ${rounds} kills`);
  }
  campaign.expect('never-there', victims.length === 0 ? null : `there is no ${victims[0] ?? ''} at ${MOST_MISSES} moments in a row`);
  return change;
}

/** False where the part does not run at that moment: what starts has no executor yet. */
async function killOnce(campaign: Campaign, stage: Stage, wanted: Part): Promise<boolean> {
  const { site } = stage;
  const { random } = campaign;
  await catchUp(campaign, stage);
  // The moments that matter most are those in which a cycle has stored some of what it found.
  if (random.chance(0.5)) await afterAlert(site, random.between(0, AFTER_ALERT_MS));
  else await sleep(random.chance(0.3) ? random.between(0, 400) : random.between(400, 2_000));
  reportUnaskedEnds(campaign, site, DAEMONS);
  const family = wanted === 'executor' ? [] : familyOf(site);
  const isKilled = await killPart(campaign, site, wanted);
  if (site.running('sentinelagent') === null) site.start('sentinelagent');
  await expectGone(campaign, family, wanted);
  return isKilled;
}

/** Waits until an alert is stored, where that is soon, and a little longer. */
async function afterAlert(site: Site, longerMs: number): Promise<void> {
  const newest = newestAlert(site);
  const deadline = performance.now() + AIM_PATIENCE_MS;
  while (newestAlert(site) === newest && performance.now() < deadline) await sleep(LOOK_EVERY_MS);
  await sleep(longerMs);
}

/** Waits where more execs than a cycle keeps rows of might come together. */
async function catchUp(campaign: Campaign, { site, program }: Stage): Promise<void> {
  const waiting = (): number => Math.max(...ONCE_RULES.map((rule) => execsOf(site, program, newestAlerted(site, rule)).length));
  const found = waiting();
  campaign.most('execs waiting at once', found);
  if (found <= MOST_WAITING) return;
  const isLess = await eventually(PATIENCE_MS, () => waiting() <= MOST_WAITING / 2);
  campaign.expect('agent-behind', isLess === null ? `${waiting()} execs wait: ${site.lastWords('sentinelagent')}` : null);
}

/** The second rule gets its second version from its file, while the agent runs and nothing is killed. */
async function changeVersion(campaign: Campaign, { site, program, rules }: Stage): Promise<VersionChange> {
  await eventually(PATIENCE_MS, async () => (await site.agent())?.lastCycle);
  // Of each version there has to be something to judge, however few rounds there are.
  await eventually(PATIENCE_MS, () => countAlerts(site, CHANGED_RULE) > 0);
  const lastAlertBefore = newestAlert(site);
  writeOnceRule(rules, CHANGED_RULE, 2, program);
  let said = '';
  const isTaken = await eventually(PATIENCE_MS, async () => {
    const { status, stdout, stderr } = await site.cli('rules', 'reload');
    said = `exit status ${status ?? 'none'}: ${stdout}${stderr}`;
    return status === 0;
  });
  campaign.expect('not-reloaded', isTaken === null ? `sentinelcli rules reload: ${said.slice(0, 300)}` : null);
  return { lastAlertBefore, firstAlertAfter: newestAlert(site) + 1 };
}

/** How many execs it made. */
async function endStorm(storm: Helper): Promise<number> {
  signalProcess(storm.process, 'SIGTERM');
  const made = Number((await storm.answer('made')).split(' ')[0]);
  await storm.ended;
  return made;
}

/** All events are stored, all rules have looked at them, and nothing that they found is on its way any more. */
async function rest(campaign: Campaign, { site, program }: Stage): Promise<void> {
  reportUnaskedEnds(campaign, site, DAEMONS);
  await settled(site);
  const isDrained = await eventually(PATIENCE_MS, async () => (await site.procmond())?.collection.events.queued === 0);
  campaign.expect('not-drained', isDrained === null ? `events wait: ${site.lastWords('procmond')}` : null);
  await scansMore(site, 1);
  const execs = execsOf(site, program).length;
  await eventually(REST_PATIENCE_MS, () => ONCE_RULES.every((rule) => countAlerts(site, rule) >= execs));
  // What is found again is found in the next cycle.
  const before = (await site.agent())?.lastCycle?.scanId ?? 0;
  await eventually(PATIENCE_MS, async () => ((await site.agent())?.lastCycle?.scanId ?? 0) > before);
  const rules = await askRules(site.paths);
  const states = ONCE_RULES.map((rule) => `${rule} is ${rules.find(({ id }) => id === rule)?.state ?? 'not there'}`);
  campaign.expect('rule-set-aside', states.every((state) => state.endsWith(' is active')) ? null : states.join(', '));
  await stopAll(campaign, site);
}

async function stopAll(campaign: Campaign, site: Site): Promise<void> {
  const isForwarded = await eventually(PATIENCE_MS, async () => {
    const agent = await site.agent();
    return agent?.auditWaiting === 0 && agent.deliveries.open === 0;
  });
  campaign.expect('not-forwarded', isForwarded === null ? `${(await site.agent())?.auditWaiting ?? 'unknown'} entries wait` : null);
  for (const name of DAEMONS.toReversed()) {
    const end = await site.running(name)?.stop();
    campaign.expect('bad-stop', end === undefined || end.status === 0 ? null : `${name}: ${describeEnd(end)}`);
  }
}

async function judge(campaign: Campaign, { site, program }: Stage, made: number, change: VersionChange | null): Promise<void> {
  const execs = execsOf(site, program);
  judgeAccount(campaign, site, made, execs.length);
  for (const rule of ONCE_RULES) judgeOnce(campaign, site, rule, execs, rule === CHANGED_RULE ? change : null);
  const { ledger } = await examine(campaign, site, []);
  examineQuiet(campaign, site, ledger);
  campaign.expect('stack-trace', site.stackTrace());
}

/** Each exec is stored, or its loss was said: only what is stored can have alerts. */
function judgeAccount(campaign: Campaign, site: Site, made: number, stored: number): void {
  const [row] = withDatabase(site.paths.eventsDb, (all) => all('SELECT sum(events_lost + events_dropped) AS missed FROM coverage'));
  const missed = Number(row?.['missed']);
  const unknown = execsWithoutProgram(site);
  // One more is the storm itself, when it was started.
  const known = stored - 1;
  campaign.say(`${made} execs, ${known} are stored; ${missed} events lost or dropped, ${unknown} stored without their program`);
  campaign.count('execs made', made);
  campaign.count('execs stored', known);
  campaign.count('events lost or dropped', missed);
  campaign.expect('campaign-broke', known < campaign.rounds ? `only ${known} execs are stored` : null);
  campaign.expect('more-than-there-were', known > made ? `${known} of ${made}` : null);
  campaign.expect(
    'loss-not-counted',
    known + unknown + missed < made
      ? `${made} execs, ${known + unknown} are stored at most, and only ${missed} are said to be missed`
      : null,
  );
}
