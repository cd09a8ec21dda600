/**
 * Verifies a ledger and says what it took: `FILE` in pages with the addon, as `audit verify` does; `FILE ENTRIES` the first
 * so many, row by row with JavaScript's hashes alone.
 */
import { readFileSync } from 'node:fs';
import { useNativeHashing } from '@sentineld/ledger/native-hashing';
import { loadNative } from '@sentineld/native/addon';
import { entryRoom } from '@sentineld/native/ledger-hash';
import { openLedger, verifyLedgerFile } from '@sentineld/store/ledger/read';

const [, , file = '', entries] = process.argv;
const started = process.cpuUsage();
const db = openLedger(file);
const result = entries === undefined ? verifyWhole() : verifyLedgerFile(db, { part: { from: null, to: Number(entries) } });
db.close();
if (!result.ok) throw new Error(`the ledger does not hold: ${result.failure?.why ?? ''}`);
const { user, system } = process.cpuUsage(started);
const cpuMs = (user + system) / 1000;
// Not getrusage(2): its peak is also that of the process that started this one.
const peakKiB = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
process.stdout.write(`${JSON.stringify({ cpuMs, count: result.entries, peakMiB: peakKiB / 1024 })}\n`);

function verifyWhole(): ReturnType<typeof verifyLedgerFile> {
  const addon = loadNative();
  if (!addon.available) throw new Error(addon.reason);
  useNativeHashing(addon);
  return verifyLedgerFile(db, { checker: { ...addon.native, entryRoom } });
}
