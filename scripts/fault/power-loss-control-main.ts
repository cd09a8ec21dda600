/**
 * The control of the simulator: a plain SQLite database that acknowledges each row on descriptor 3 once it is committed.
 * With `PRAGMA synchronous` FULL no loss of power may take one away; with OFF the simulator must find some that are gone.
 */
import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { MARKS_DESCRIPTOR } from './rig/power-log.ts';

const [path = '', synchronous = 'FULL', rows = '100'] = process.argv.slice(2);
const db = new DatabaseSync(path);
db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous === 'OFF' ? 'OFF' : 'FULL'}`);
db.exec('CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT; PRAGMA wal_autocheckpoint = 40');
const insert = db.prepare('INSERT INTO row (id, text) VALUES (?, ?)');
for (let id = 1; id <= Number(rows); id++) {
  insert.run(id, 'x'.repeat(id % 7 === 0 ? 9_000 : 300));
  writeSync(MARKS_DESCRIPTOR, `${id}\n`);
}
// A clean end would close the file.
process.kill(process.pid, 'SIGKILL');
