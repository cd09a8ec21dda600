/**
 * What a ledger acknowledged, kept by the campaign itself, and whether the ledger still has it.
 */
import { basename } from 'node:path';
import type { LedgerHistory, Problem } from './ledger-history.ts';
import type { Acknowledgement, LoadClient } from './ledger-load.ts';

export type Promises = {
  readonly add: (acknowledgement: Acknowledgement) => void;
  /** Clients as they go on: with the numbers that they know to be recorded. */
  readonly clients: () => readonly LoadClient[];
  /** Heads, checkpoints, keys and archives that were acknowledged. */
  readonly count: () => number;
  /** What was promised and is not there, or is there more often than once. */
  readonly broken: (history: LedgerHistory) => readonly Problem[];
};

type Kept = {
  readonly clients: Map<string, number>;
  /** Entry hash by sequence. */
  readonly heads: Map<number, string>;
  /** Note by epoch. */
  readonly checkpoints: Map<number, string>;
  readonly keys: Set<string>;
  /** Names of their files: of an image the directory is another one. */
  readonly archives: Set<string>;
  readonly contradictions: string[];
};

export function createPromises(clients: readonly string[]): Promises {
  const kept: Kept = {
    clients: new Map(clients.map((id) => [id, 0])),
    heads: new Map(),
    checkpoints: new Map(),
    keys: new Set(),
    archives: new Set(),
    contradictions: [],
  };
  return {
    add: (acknowledgement) => keep(kept, acknowledgement),
    clients: () => [...kept.clients].map(([id, acknowledged]) => ({ id, acknowledged })),
    count: () => kept.heads.size + kept.checkpoints.size + kept.keys.size + kept.archives.size,
    broken: (history) => [
      ...kept.contradictions.map((detail) => ({ what: 'two-histories', detail })),
      ...history.problems,
      ...headProblems(kept, history),
      ...clientProblems(kept, history),
      ...checkpointProblems(kept, history),
      ...keyProblems(kept, history),
      ...archiveProblems(kept, history),
    ],
  };
}

function keep(kept: Kept, acknowledgement: Acknowledgement): void {
  switch (acknowledgement.told) {
    case 'append':
    case 'reopen':
      keepOnce(kept, kept.heads, acknowledgement.head.sequence, acknowledgement.head.entryHash, 'entry');
      return;
    case 'submit': {
      const { origin, last, head } = acknowledgement;
      kept.clients.set(origin, Math.max(last, kept.clients.get(origin) ?? 0));
      keepOnce(kept, kept.heads, head.sequence, head.entryHash, 'entry');
      return;
    }
    case 'checkpoint':
      keepOnce(kept, kept.checkpoints, acknowledgement.epoch, acknowledgement.note, 'checkpoint');
      return;
    case 'rotation':
      kept.keys.add(acknowledgement.key);
      return;
    case 'archive':
      kept.archives.add(basename(acknowledgement.path));
      return;
    default:
  }
}

function keepOnce(kept: Kept, known: Map<number, string>, number: number, value: string, what: string): void {
  const before = known.get(number);
  if (before !== undefined && before !== value) kept.contradictions.push(`${what} ${number} was acknowledged twice, and differs`);
  known.set(number, value);
}

function headProblems({ heads }: Kept, { entries }: LedgerHistory): readonly Problem[] {
  const lost = [...heads].find(([sequence, hash]) => entries[sequence - 1]?.entryHash !== hash);
  if (lost === undefined) return [];
  return [
    {
      what: 'acknowledged-entry-lost',
      detail: `entry ${lost[0]} was acknowledged; the ledger ends at ${entries.length} or has another one`,
    },
  ];
}

type ClientData = { readonly rule?: string; readonly origin?: { readonly id: string; readonly sequence: number } };

/** Each client's numbers are there from 1 on without holes, once and in order, and what they say is the client's. */
function clientProblems({ clients }: Kept, { entries }: LedgerHistory): readonly Problem[] {
  const seen = new Map<string, number>();
  const problems: Problem[] = [];
  for (const { sequence, action, eventData } of entries) {
    if (action !== 'rule_execute') continue;
    const { origin, rule } = JSON.parse(eventData) as ClientData;
    if (origin === undefined) continue;
    const last = seen.get(origin.id) ?? 0;
    const isNext = origin.sequence === last + 1 && (rule === undefined || rule === `${origin.id}/${origin.sequence}`);
    const what = origin.sequence <= last ? 'client-entry-twice' : 'client-entry-lost';
    if (!isNext) problems.push({ what, detail: `entry ${sequence} is number ${origin.sequence} of ${origin.id}, after number ${last}` });
    seen.set(origin.id, Math.max(last, origin.sequence));
  }
  for (const [id, acknowledged] of clients) {
    const last = seen.get(id) ?? 0;
    if (last < acknowledged)
      problems.push({ what: 'acknowledged-entry-lost', detail: `${id}: ${acknowledged} was acknowledged, the last there is ${last}` });
  }
  return problems.slice(0, 5);
}

function checkpointProblems(kept: Kept, { checkpoints }: LedgerHistory): readonly Problem[] {
  const lost = [...kept.checkpoints].find(([epoch, note]) => checkpoints.get(epoch) !== note);
  if (lost === undefined) return [];
  const state = checkpoints.has(lost[0]) ? 'is another one' : 'is gone';
  return [{ what: 'acknowledged-checkpoint-lost', detail: `the checkpoint of epoch ${lost[0]} ${state}` }];
}

/** A key that nobody announced means that the one before was lost, and no crash may do that. */
function keyProblems({ keys }: Kept, { entries }: LedgerHistory): readonly Problem[] {
  const created = entries.find(({ action }) => action === 'key_create');
  const rotated = new Set(
    entries.filter(({ action }) => action === 'key_rotate').map(({ eventData }) => (JSON.parse(eventData) as { key: string }).key),
  );
  const lost = [...keys].find((key) => !rotated.has(key));
  return [
    ...(created === undefined ? [] : [{ what: 'key-lost', detail: `entry ${created.sequence}: ${created.eventData.slice(0, 300)}` }]),
    ...(lost === undefined ? [] : [{ what: 'acknowledged-key-lost', detail: lost }]),
  ];
}

function archiveProblems({ archives }: Kept, history: LedgerHistory): readonly Problem[] {
  const there = new Set(history.archives.map((path) => basename(path)));
  const lost = [...archives].find((name) => !there.has(name));
  return lost === undefined ? [] : [{ what: 'acknowledged-archive-lost', detail: lost }];
}
