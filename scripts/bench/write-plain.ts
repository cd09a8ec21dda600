/**
 * The plain way as a line child: one row per process per scan with the 17 columns of process_snapshots and five
 * indexes, in batches of 1,000, through the same driver. `FILE PROCESSES CACHE_KIB`, spoken to like write-events.ts.
 */
import type { ProcessRecord } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import { openWriter, stopWriter } from '@sentineld/store/open';
import { answerWriting, measure } from './measured-program.ts';
import { createWorkload, fileHash, indexOf } from './process-workload.ts';

const [, , file = '', processes = '0', cacheKiB = '0'] = process.argv;
const BATCH = 1000;
const TABLE = `
CREATE TABLE process_snapshots (
  id INTEGER PRIMARY KEY, scan_id INTEGER, timestamp_ms INTEGER, pid INTEGER, ppid INTEGER, name TEXT, exe_path TEXT,
  command_line TEXT, start_time INTEGER, cpu_percent REAL, memory_bytes INTEGER, status TEXT, exe_hash TEXT,
  hash_algorithm TEXT, user_name TEXT, user_id TEXT, platform_data TEXT
);
CREATE INDEX process_snapshots_timestamp ON process_snapshots (timestamp_ms);
CREATE INDEX process_snapshots_scan_pid ON process_snapshots (scan_id, pid);
CREATE INDEX process_snapshots_name ON process_snapshots (name);
CREATE INDEX process_snapshots_exe_path ON process_snapshots (exe_path);
CREATE INDEX process_snapshots_exe_hash ON process_snapshots (exe_hash);
`;

const workload = createWorkload(Number(processes));
const db = openWriter({
  path: file,
  durability: 'normal',
  cacheKiB: Number(cacheKiB),
  migrations: [{ version: 1, name: 'one row per process per scan', up: TABLE }],
});
const insert = db.prepare(`INSERT INTO process_snapshots VALUES (NULL${', ?'.repeat(16)})`);
const insertBatch = db.transaction((rows: readonly (readonly unknown[])[]) => {
  for (const row of rows) insert.run(row);
});
let scanId = 0;

/** Everything that does not change is made ready outside of what is measured. */
function rowOf(process: ProcessRecord, scan: Scan): readonly unknown[] {
  const { image } = process;
  const index = image.exe === null ? 0 : indexOf(image.exe);
  return [
    scanId,
    scan.startTimeMs,
    process.pid,
    image.ppid,
    image.name,
    image.exe?.path ?? null,
    JSON.stringify(image.argv),
    image.startTimeMs,
    process.cpuPercent,
    process.memoryBytes,
    process.status,
    fileHash(index),
    'sha256',
    image.userName,
    String(image.userId),
    `{"threads":${1 + (process.pid % 8)},"nice":0,"cgroup":"/system.slice/${image.name}.service"}`,
  ];
}

await answerWriting({
  recordOne: async () => {
    const scan = workload.next();
    scanId++;
    const rows = scan.processes.map((process) => rowOf(process, scan));
    const batches = Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, i) => rows.slice(i * BATCH, (i + 1) * BATCH));
    return measure(() => {
      for (const batch of batches) insertBatch(batch);
      return rows.length;
    });
  },
  stop: () => {
    stopWriter(db);
  },
});
