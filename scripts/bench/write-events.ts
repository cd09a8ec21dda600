/**
 * The store's own writer as a line child: `FILE PROCESSES` answers "N" with N scans of the workload written, each with
 * the events before it, and "finish" with what it took to empty the WAL. Making the workload is not counted, writing and
 * checkpoints are.
 */
import type { EventCoverage } from '@sentineld/model/process-event';
import { openEventsWriter } from '@sentineld/store/events/writer';
import { answerWriting, measure } from './measured-program.ts';
import { createWorkload, fileHash, indexOf } from './process-workload.ts';

const [, , file = '', processes = '0'] = process.argv;

const workload = createWorkload(Number(processes));
const writer = openEventsWriter(file, {
  startTimeMs: Date.now(),
  bootId: '6f1c7c0e-9d0a-4c55-9e0e-2f6b8f3b7a10',
  hostname: 'bench',
  osName: 'Linux',
  osVersion: '6.1',
  collectorVersion: '0.0.0',
  configHash: '0'.repeat(64),
});
let scans = 0;

function hashExecutables(): void {
  for (const { id, file } of writer.executables.pending()) writer.executables.recordHash(id, { sha256: fileHash(indexOf(file)) });
}

function coverageOf(events: number): EventCoverage {
  return { tier: 'kernel', execs: events / 2, exits: events / 2, lost: 0, overruns: 0, argvMissed: 0, dropped: 0, stored: events };
}

await answerWriting({
  recordOne: async () => {
    const scan = workload.next();
    const events = workload.events();
    const coverage = coverageOf(events.length);
    const correlationId = `scan-${String(scans++).padStart(16, '0')}`;
    const measured = await measure(() => {
      writer.recordEvents(events);
      writer.recordScan(scan, correlationId, coverage.tier, coverage);
      return scan.processes.length;
    });
    hashExecutables();
    return measured;
  },
  stop: () => writer.stop(),
});
