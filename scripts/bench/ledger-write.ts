/**
 * The ledger's writer as a line child: `DIRECTORY` answers "fill N" with N entries in large transactions, "single N" with N
 * of one commit each, "group N" with N that 64 clients submit at a time, and "floor N BYTES" with as many writes of so many
 * bytes, each followed by fdatasync, into a file beside the ledger. `bytes` is what was written on the way.
 */
import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { useNativeHashing } from '@sentineld/ledger/native-hashing';
import type { AuditEvent } from '@sentineld/model/audit';
import { loadNative } from '@sentineld/native/addon';
import { openLedgerWriter } from '@sentineld/store/ledger/writer';
import { answerLines, measure } from './measured-program.ts';

const [, , directory = ''] = process.argv;
const CLIENTS = 64;
const FILL_ENTRIES = 1_000;
/** As large as a log of SQLite becomes before it begins anew: neither grows while it is measured. */
const FLOOR_FILE_BYTES = 4 * 1024 * 1024;

useNativeHashing(loadNative());
const writer = openLedgerWriter({
  path: join(directory, 'ledger.db'),
  hostId: 'bench',
  clock: Date.now,
  keyDir: join(directory, 'key'),
  archiveDir: join(directory, 'archive'),
});
const floor = openSync(join(directory, 'floor'), 'w');
ftruncateSync(floor, FLOOR_FILE_BYTES);
writeSync(floor, Buffer.alloc(FLOOR_FILE_BYTES, 1), 0, FLOOR_FILE_BYTES, 0);
fdatasyncSync(floor);

let scans = 0;
const sequences = Array.from({ length: CLIENTS }, () => 0);

/** About 130 bytes of details, as of a rule that ran. */
function event(): AuditEvent {
  const id = ++scans;
  const data = {
    rule_id: 'shell-from-service',
    rule_version: 3,
    scan_id: id,
    correlation_id: `scan-${String(id).padStart(16, '0')}`,
    rows: id % 7,
    ms: 1.5,
  };
  return { action: 'rule_execute', data };
}

function fill(count: number): number {
  for (let left = count; left > 0; left -= FILL_ENTRIES) {
    writer.append('procmond', Array.from({ length: Math.min(left, FILL_ENTRIES) }, event));
  }
  return count;
}

function single(count: number): number {
  for (let at = 0; at < count; at++) writer.append('procmond', [event()]);
  return count;
}

async function group(count: number): Promise<number> {
  let left = count;
  const client = async (number: number): Promise<void> => {
    while (left-- > 0) {
      const originSequence = (sequences[number] ?? 0) + 1;
      sequences[number] = originSequence;
      await writer.submit('sentinelagent', `client-${number}`, [{ originSequence, event: event() }], { uid: 1000, pid: 1 });
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  return count;
}

function writeFloor(count: number, bytes: number): number {
  const chunk = Buffer.alloc(bytes, 2);
  for (let at = 0; at < count; at++) {
    const slots = Math.max(1, Math.floor(FLOOR_FILE_BYTES / bytes));
    writeSync(floor, chunk, 0, bytes, (at % slots) * bytes);
    fdatasyncSync(floor);
  }
  return count;
}

/** Bytes that were given to write(2) and its kin so far (/proc/PID/io). */
function bytesWritten(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
}

await answerLines(async (line) => {
  const [what = '', count = '0', bytes = '0'] = line.split(' ');
  if (what === 'stop') {
    closeSync(floor);
    return { cpuMs: 0, wallMs: 0, count: writer.stop() ? 1 : 0 };
  }
  const before = bytesWritten();
  const measured = await measure(() => {
    if (what === 'fill') return fill(Number(count));
    if (what === 'single') return single(Number(count));
    return what === 'group' ? group(Number(count)) : writeFloor(Number(count), Number(bytes));
  });
  return { ...measured, bytes: bytesWritten() - before };
});
