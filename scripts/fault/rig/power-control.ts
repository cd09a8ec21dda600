/**
 * Whether the simulator of lost power tells right from wrong, shown on a database that is known: SQLite loses nothing that it
 * acknowledged with `PRAGMA synchronous` FULL, and does with OFF (https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Campaign } from './campaign.ts';
import { startLedgerChild } from './ledger-child.ts';
import { emptyDisk, replay, writeImage } from './power-image.ts';
import type { PowerRecord, PowerRecorder } from './power-log.ts';
import { temporaryDirectory } from './programs.ts';

const IMAGES = 25;
const ROWS = 120;

export async function controlDatabase(campaign: Campaign, recorder: PowerRecorder): Promise<void> {
  for (const synchronous of ['FULL', 'OFF'] as const) {
    const directory = temporaryDirectory(campaign.cleanup);
    const root = join(directory, 'database');
    mkdirSync(root, { mode: 0o700 });
    const log = recorder.begin(root, join(directory, 'power.log'));
    const words = [join(root, 'rows.db'), synchronous, String(ROWS)];
    const child = startLedgerChild(campaign, 'power-loss-control-main', words, log.environment);
    const errors = await child.ended;
    if (child.lines.length !== ROWS) throw new Error(`the control wrote ${child.lines.length} of ${ROWS} rows: ${errors}`);
    const records = log.read();
    let lost = 0;
    for (let image = 0; image < IMAGES; image++) lost += losesRows(campaign, records, root, join(directory, 'image')) ? 1 : 0;
    campaign.count(`control, SQLite with synchronous ${synchronous}: disks that lost something`, lost);
    const isRight = synchronous === 'FULL' ? lost === 0 : lost > 0;
    campaign.expect('control-wrong', isRight ? null : `with synchronous ${synchronous} ${lost} of ${IMAGES} disks lost rows`);
  }
}

function losesRows(campaign: Campaign, records: readonly PowerRecord[], root: string, image: string): boolean {
  const disk = emptyDisk();
  let acknowledged = 0;
  for (const record of records.slice(0, campaign.random.between(0, records.length))) {
    replay(disk, record, campaign.random);
    if (record.kind === 'mark') acknowledged = Number(record.text);
  }
  writeImage(disk, root, image, campaign.random);
  return rowsOf(join(image, 'rows.db')) < acknowledged;
}

/** -1 where they cannot be read, or where the file is damaged. */
function rowsOf(path: string): number {
  try {
    const db = new DatabaseSync(path);
    try {
      if (db.prepare('PRAGMA integrity_check').get()?.['integrity_check'] !== 'ok') return -1;
      if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'row'").get() === undefined) return 0;
      return Number(db.prepare('SELECT count(*) AS n FROM row').get()?.['n']);
    } finally {
      db.close();
    }
  } catch {
    return -1;
  }
}
