/**
 * SIGKILL to one part of an installation: a daemon, or the agent's spawner or executor. Whoever kills knows what has to
 * be gone afterwards, and what has to end by itself.
 */
import type { Campaign } from './campaign.ts';
import { eventually } from './eventually.ts';
import { isAlive, signalProcess, type KnownProcess } from './processes.ts';
import type { Random } from './random.ts';
import type { DaemonName, Part, Site } from './site.ts';

const ORPHAN_PATIENCE_MS = 10_000;
const END_PATIENCE_MS = 15_000;

/** Each of these parts equally often, in an order of chance. */
export function victimsOf(random: Random, parts: readonly Part[], share: number): Part[] {
  const each = parts.flatMap((part) => Array.from({ length: share }, () => part));
  return each
    .map((part) => ({ part, at: random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ part }) => part);
}

/** What runs of the agent beside itself. */
export function familyOf(site: Site): readonly KnownProcess[] {
  return (['spawner', 'executor'] as const).flatMap((part) => site.part(part) ?? []);
}

/** Kills one part, where it runs, and waits until it is gone. False where it does not run. */
export async function killPart(campaign: Campaign, site: Site, part: Part): Promise<boolean> {
  const target = site.part(part);
  const daemon = part === 'procmond' || part === 'sentinelagent' ? site.running(part) : null;
  const agent = site.running('sentinelagent');
  if (target === null || !signalProcess(target, 'SIGKILL')) return false;
  campaign.count(`kills of ${part}`);
  await daemon?.ended;
  // An agent whose spawner is gone ends by itself, as documented.
  if (part !== 'spawner' || agent === null) return true;
  const ended = await eventually(END_PATIENCE_MS, () => agent.end() !== null);
  campaign.expect('agent-without-spawner', ended === null ? 'the agent goes on although its spawner is gone' : null);
  return true;
}

/** Waits until none of these runs any more; who does is a finding. */
export async function expectGone(campaign: Campaign, family: readonly KnownProcess[], killed: Part): Promise<void> {
  const left = await eventually(ORPHAN_PATIENCE_MS, () => !family.some(isAlive));
  const survivors = family.filter(isAlive).map(({ pid }) => `pid ${pid}`);
  campaign.expect('orphan', left === null ? `after a kill of ${killed} ${survivors.join(', ')} of the old agent runs on` : null);
}

/** A daemon that the campaign did not kill must not have ended. What did is started again. */
export function reportUnaskedEnds(campaign: Campaign, site: Site, daemons: readonly DaemonName[]): void {
  for (const name of daemons) {
    if (site.running(name) !== null) continue;
    campaign.find('daemon-ended', `${name} ended by itself: ${site.lastWords(name)}`);
    site.start(name);
  }
}
