/**
 * Somebody who reads an old state of events.db for as long as is wanted, so that its log of writes cannot be emptied.
 */
import { existsSync, statSync } from 'node:fs';
import type { Campaign } from './campaign.ts';
import { startHelper, type Helper } from './helper.ts';
import { operatorOf, type Site } from './site.ts';

/** Holds a read transaction until its standard input ends. */
const SCRIPT = `import { DatabaseSync } from 'node:sqlite';
  const db = new DatabaseSync(process.argv[1], { readOnly: true, timeout: 5000 });
  db.exec('BEGIN');
  db.prepare('SELECT count(*) AS n FROM scan_metadata').get();
  console.log('ready');
  process.stdin.on('end', () => process.exit(0)).resume();`;

/** Reads from when this is called; `end()` of it is the end of that. */
export async function startLongReader(campaign: Campaign, site: Site): Promise<Helper> {
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', SCRIPT, site.paths.eventsDb];
  const helper = startHelper(campaign, process.execPath, words, { user: operatorOf(site.paths) });
  await helper.answer('ready');
  return helper;
}

/** Size of the log of writes of events.db. */
export function logBytes(site: Site): number {
  const log = `${site.paths.eventsDb}-wal`;
  return existsSync(log) ? statSync(log).size : 0;
}
