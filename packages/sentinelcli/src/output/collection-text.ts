/**
 * What procmond says of its collection, for the page of health: events, budget, storage and hashing, one topic each. It
 * may be of another release: what is not there, or is not as it is known, is left out.
 */
import { isRecord, numberField, recordField, textField, textsField, type Fields } from '../fields.ts';
import { roughDuration, roughSize } from './times.ts';

/** A topic and its sentences, each of which begins a line; not yet safe to show. */
export type Topic = { readonly label: string; readonly texts: readonly string[] };

const TIERS: ReadonlyMap<string, string> = new Map([
  ['kernel', "from the kernel's process connector"],
  ['trace', "from the kernel's trace buffer"],
  ['off', 'none: processes are found by scans alone'],
]);

/** Nothing where the daemon says nothing of it. `details`: procmond's answer; `now` in milliseconds since 1970. */
export function collectionTopics(details: Fields, now: number): readonly Topic[] {
  if (!isRecord(details['collection'])) return [];
  const { collection } = details;
  const topics: readonly Topic[] = [
    { label: 'events', texts: eventTexts(recordField(collection, 'events'), recordField(recordField(details, 'lastScan'), 'events')) },
    { label: 'budget', texts: budgetTexts(recordField(collection, 'budget')) },
    { label: 'storage', texts: storageTexts(recordField(collection, 'storage'), now) },
    { label: 'hashing', texts: hashingTexts(recordField(collection, 'hashing')) },
  ];
  return topics.filter(({ texts }) => texts.length > 0);
}

function eventTexts(events: Fields, interval: Fields): readonly string[] {
  const tier = textField(events, 'tier');
  if (tier === null) return [];
  const total = recordField(events, 'total');
  const waiting = [counted(events, 'queued', 'wait to be stored'), counted(events, 'spilled', 'were spilled to disk')];
  return [
    TIERS.get(tier) ?? tier,
    ...textsField(events, 'reasons'),
    ...(tier === 'off' ? [] : [`last interval: ${seenText(interval)}`, `since the start: ${seenText(total)}`, joined(waiting)]),
  ].filter((text) => text !== '');
}

/** Of all that the kernel made: what came, what did not come, and what came and was not kept. */
function seenText(coverage: Fields): string {
  const [execs, exits] = [numberField(coverage, 'execs'), numberField(coverage, 'exits')];
  if (execs === null && exits === null) return 'not known yet';
  return joined([
    `${(execs ?? 0) + (exits ?? 0)} seen`,
    counted(coverage, 'lost', 'lost'),
    counted(coverage, 'dropped', 'dropped'),
    counted(coverage, 'argvMissed', 'without arguments', true),
    counted(coverage, 'overruns', 'overruns', true),
  ]);
}

function budgetTexts(budget: Fields): readonly string[] {
  const level = numberField(budget, 'level');
  if (level === null) return [];
  const limits = recordField(budget, 'limits');
  const [cpu, cpuLimit] = [numberField(budget, 'cpuPercent'), numberField(limits, 'cpuPercent')];
  const [memory, memoryLimit] = [numberField(budget, 'rssBytes'), numberField(limits, 'memoryBytes')];
  const word = textField(budget, 'word');
  return [
    joined([
      `level ${level}${word === null ? '' : ` (${word.replaceAll('_', ' ')})`}`,
      cpu === null ? '' : `${cpu.toFixed(1)} %${cpuLimit === null ? '' : ` of ${cpuLimit} %`} of a core`,
      memory === null ? '' : `memory ${roughSize(memory)}${memoryLimit === null ? '' : ` of ${roughSize(memoryLimit)}`}`,
    ]),
  ];
}

function storageTexts(storage: Fields, now: number): readonly string[] {
  const size = numberField(storage, 'sizeBytes');
  if (size === null) return [];
  const [wal, oldestMs] = [numberField(storage, 'walBytes'), numberField(storage, 'oldestScanMs')];
  const sizes = joined([
    `events.db ${roughSize(size)}`,
    wal === null ? '' : `its log ${roughSize(wal)}`,
    oldestMs === null ? '' : `the oldest scan is ${roughDuration(now - oldestMs)} old`,
  ]);
  const paused = storage['paused'];
  if (!isRecord(paused)) return [sizes];
  const sinceMs = numberField(paused, 'sinceMs');
  // The reason names the reader, where one holds the log.
  return [
    sizes,
    `PAUSED${sinceMs === null ? '' : ` for ${roughDuration(now - sinceMs)}`}: ${textField(paused, 'reason') ?? 'no reason given'}`,
  ];
}

function hashingTexts(hashing: Fields): readonly string[] {
  const pending = numberField(hashing, 'pending');
  if (pending === null) return [];
  const paused = hashing['paused'] === true ? ['paused'] : [];
  return [joined([pending === 0 ? 'nothing waits' : `${pending} ${pending === 1 ? 'executable waits' : 'executables wait'}`, ...paused])];
}

/** '3 lost'; nothing where it is not told, or is 0 and says nothing then. */
function counted(fields: Fields, name: string, what: string, isQuietAtZero = false): string {
  const count = numberField(fields, name);
  return count === null || (count === 0 && isQuietAtZero) ? '' : `${count} ${what}`;
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(', ');
}
