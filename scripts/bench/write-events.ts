/**
 * The store's own writer as a line child: `FILE PROCESSES` answers "N" with N scans of the workload written, and
 * "finish" with what it took to empty the WAL. Making the workload is not counted, writing and checkpoints are.
 */
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

await answerWriting({
  recordOne: async () => {
    const scan = workload.next();
    const correlationId = `scan-${String(scans++).padStart(16, '0')}`;
    const measured = await measure(() => {
      writer.recordScan(scan, correlationId, 'poll');
      return scan.processes.length;
    });
    hashExecutables();
    return measured;
  },
  stop: () => writer.stop(),
});
