/**
 * Events of the kernel's process connector. A thread of the addon receives them and looks at what calls exec; here its
 * records become events.
 */
import { closeSync } from 'node:fs';
import { decodeHostLatin1 } from '@sentineld/model/host-text';
import type { Native } from '@sentineld/native/addon';
import {
  nameProcessEventCounts,
  PROCESS_EVENT_COUNTS,
  readProcessEvent,
  RECORD_BYTES_WITHOUT_ARGV,
  type ProcessEventCounts,
  type ProcessEventRecord,
} from '@sentineld/native/process-events';
import { splitArguments } from '../sources/process-details.ts';
import { withoutDeleted, type ProcessEventSource, type RawEvent } from './event-source.ts';

/** Holds about 10,000 events, for as long as the thread does not run. Twice as much is granted to who may. */
export const RECEIVE_BUFFER_BYTES: number = 8 * 1024 * 1024;
/** Holds about 15,000 events, for as long as JavaScript does not run. */
const RING_BYTES = 2 * 1024 * 1024;
const BUFFER_BYTES = 64 * 1024;

export type KernelEvents = ProcessEventSource & { readonly allCounts: () => ProcessEventCounts };

export type KernelEventsOptions = {
  readonly native: Native;
  /** Of openProcessEvents. The source closes it. */
  readonly descriptor: number;
  readonly argvLimitBytes: number;
};

/** Starts to listen. Throws what Native.startProcessEvents throws; draining throws what made the thread give up. */
export function createKernelEvents({ native, descriptor, argvLimitBytes }: KernelEventsOptions): KernelEvents {
  const handle = native.startProcessEvents(descriptor, RING_BYTES, argvLimitBytes);
  const buffer = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, argvLimitBytes + RECORD_BYTES_WITHOUT_ARGV));
  const numbers = new Float64Array(PROCESS_EVENT_COUNTS.length);
  let at = 0;
  let end = 0;
  let isOpen = true;
  const drain = (limit: number): readonly RawEvent[] => {
    const events: RawEvent[] = [];
    while (events.length < limit) {
      if (at === end) {
        at = 0;
        end = isOpen ? native.drainProcessEvents(handle, buffer) : 0;
        if (end === 0) break;
      }
      const record = readProcessEvent(buffer, at);
      at = record.end;
      events.push(eventOf(record));
    }
    return events;
  };
  const allCounts = (): ProcessEventCounts => {
    if (isOpen) native.countProcessEvents(handle, numbers);
    return nameProcessEventCounts(numbers);
  };
  return {
    tier: 'kernel',
    drain,
    allCounts,
    counts: () => {
      const { lost, overruns, argvMissed, dropped } = allCounts();
      return { lost, overruns, argvMissed, dropped };
    },
    close: () => {
      if (!isOpen) return;
      allCounts();
      isOpen = false;
      native.stopProcessEvents(handle);
      closeSync(descriptor);
    },
  };
}

function eventOf(record: ProcessEventRecord): RawEvent {
  const { kind, monotonicMs, pid, ppid, startTicks, userId, groupId, name, exe, argv, waitStatus } = record;
  const hasEnded = kind === 'exit';
  const signal = waitStatus & 0x7f;
  return {
    kind,
    monotonicMs,
    pid,
    ppid,
    startTicks,
    userId,
    groupId,
    name: name === null ? null : decodeHostLatin1(name),
    exePath: exe === null ? null : withoutDeleted(decodeHostLatin1(exe)),
    argv: argv === null ? null : splitArguments(argv),
    exitCode: hasEnded && signal === 0 ? (waitStatus >> 8) & 0xff : null,
    exitSignal: hasEnded && signal !== 0 ? signal : null,
  };
}
