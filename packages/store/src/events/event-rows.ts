/**
 * Process events as rows: append-only, with numbers that never go back.
 */
import type { EventCoverage, ProcessEvent } from '@sentineld/model/process-event';
import type { WriterDatabase } from '../open.ts';
import type { SharedRows } from './shared-rows.ts';

/** Writes the events within a transaction and gives the number of rows. */
export type WriteEvents = (batch: readonly ProcessEvent[], shared: SharedRows, runId: number) => number;

/** Codes are in files and never change. */
const KIND_CODES: Readonly<Record<ProcessEvent['kind'], number>> = { exec: 0, exit: 1 };

export function prepareWriteEvents(db: WriterDatabase): WriteEvents {
  const insert = db.prepare(
    `INSERT INTO process_event (time_ms, kind, run_id, pid, ppid, start_ticks, user_id, group_id, exit_code, exit_signal, command_id, parent_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return (batch, shared, runId) => {
    for (const event of batch) {
      insert.run(
        Math.round(event.timestampMs),
        KIND_CODES[event.kind],
        runId,
        event.pid,
        event.ppid,
        event.startTicks,
        event.userId,
        event.groupId,
        event.exitCode,
        event.exitSignal,
        event.command === null ? null : shared.command(event.command),
        event.parent === null ? null : shared.command(event.parent),
      );
    }
    return batch.length;
  };
}

/** What a scan says of its completeness, with what was missed of the events before it; null where nothing was. */
export function reasonWithEvents(reason: string | null, { lost, dropped }: EventCoverage): string | null {
  const sentences = [
    ...(reason === null ? [] : [reason]),
    ...(lost === 0 ? [] : [`${were(lost)} lost before ${they(lost)} could be read`]),
    ...(dropped === 0 ? [] : [`${were(dropped)} dropped before ${they(dropped)} could be stored`]),
  ];
  return sentences.length === 0 ? null : sentences.join('; ');
}

const were = (count: number): string => (count === 1 ? '1 event was' : `${count} events were`);
const they = (count: number): string => (count === 1 ? 'it' : 'they');
