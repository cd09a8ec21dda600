/**
 * Where in a log the power goes: anywhere, and as often where little time is spent and much can go wrong.
 */
import type { Acknowledgement } from './ledger-load.ts';
import type { PowerRecord } from './power-log.ts';
import type { Random } from './random.ts';

const PLACES = ['anywhere', 'behind a promise', 'in a start', 'in a rotation', 'in an archive'] as const;

/** So many records of the log are done. */
export type PowerPoint = { readonly at: number; readonly where: (typeof PLACES)[number] };

type Told = { readonly at: number; readonly told: Acknowledgement['told'] };

export function drawPoint(records: readonly PowerRecord[], random: Random): PowerPoint {
  const marks = records.flatMap((record, at): readonly Told[] =>
    record.kind === 'mark' ? [{ at, told: (JSON.parse(record.text) as Acknowledgement).told }] : [],
  );
  const where = random.pick(PLACES);
  const windows = windowsOf(marks, where);
  const [from, to] = windows[random.between(0, Math.max(0, windows.length - 1))] ?? [0, records.length];
  return { at: random.between(from, to), where: windows.length === 0 ? 'anywhere' : where };
}

type Window = readonly [from: number, to: number];

/** What the writer does between its own promises is told by the next one. */
function windowsOf(marks: readonly Told[], where: PowerPoint['where']): readonly Window[] {
  const ending = { 'in a start': 'open', 'in a rotation': 'rotation', 'in an archive': 'archive' } as const;
  if (where === 'anywhere') return [];
  if (where === 'behind a promise') return marks.map(({ at }) => [at + 1, at + 1]);
  const own = marks.filter(({ told }) => told !== 'submit');
  return own.flatMap(({ at, told }, index): readonly Window[] =>
    told === ending[where] ? [[(own[index - 1]?.at ?? -1) + 1, at + 1]] : [],
  );
}
