/**
 * What the store knows of processes that the newest scan saw, kept in memory so that a scan writes only what changed;
 * read back at start, so that a restart does not begin every process anew.
 */
import type { ProcessImage } from '@sentineld/model/process';
import type { WriterDatabase } from '../open.ts';
import { LIVE_LEVEL, placeOfInterval } from './scan-interval.ts';

export type LiveImage = {
  readonly imageId: number;
  readonly firstScan: number;
  readonly startTicks: number;
  readonly executableId: number | null;
  /** The very object that was stored; null for one that was read back, which is compared by its fingerprint. */
  image: ProcessImage | null;
  readonly fingerprint: string | null;
  cpuPercent: number | null;
  memoryBytes: number;
  status: string;
  /** Counts scans of this run; tells which processes the current one did not see. */
  round: number;
};

type StoredImage = {
  id: number;
  first_scan: number;
  pid: number;
  start_ticks: number;
  boot_id: string;
  executable_id: number | null;
  ppid: number;
  name: string;
  exe_deleted: number;
  command_line: string | null;
  user_id: number | null;
  user_name: string | null;
  group_id: number | null;
  session_id: number;
  tty_number: number;
  unseen: string | null;
};

/** Ends an image with the scan that saw it last. */
export type EndImage = (image: Pick<LiveImage, 'imageId' | 'firstScan'>, lastScan: number, endedBy: 'stopped' | 'changed') => void;

export function prepareEndImage(db: WriterDatabase): EndImage {
  const statement = db.prepare('UPDATE process_image SET last_scan = ?, level = ?, node = ?, ended_by = ? WHERE id = ?');
  return ({ imageId, firstScan }, lastScan, endedBy) => {
    const { level, node } = placeOfInterval(firstScan, lastScan);
    statement.run(lastScan, level, node, endedBy, imageId);
  };
}

/** Live images of the file by pid; those of another boot are ended with the scan that saw them last. */
export function loadLiveImages(db: WriterDatabase, bootId: string): Map<number, LiveImage> {
  const newestScan = db.prepare<[], number>('SELECT max(id) FROM scan').pluck().get() ?? 0;
  const endImage = prepareEndImage(db);
  const rows = db
    .prepare<[], StoredImage>(
      `SELECT i.*, r.boot_id FROM process_image i JOIN collector_run r ON r.id = i.run_id WHERE i.level = ${LIVE_LEVEL}`,
    )
    .all();
  const live = new Map<number, LiveImage>();
  for (const row of rows) {
    if (row.boot_id !== bootId) {
      endImage({ imageId: row.id, firstScan: row.first_scan }, newestScan, 'stopped');
      continue;
    }
    live.set(row.pid, {
      imageId: row.id,
      firstScan: row.first_scan,
      startTicks: row.start_ticks,
      executableId: row.executable_id,
      image: null,
      fingerprint: storedFingerprint(row),
      cpuPercent: null,
      memoryBytes: -1,
      status: '',
      round: 0,
    });
  }
  return live;
}

/** What makes an image the same, apart from its executable, which is compared by its id. */
export function fingerprintOf(image: ProcessImage): string {
  return fingerprint([
    image.ppid,
    image.name,
    image.exeDeleted ? 1 : 0,
    commandLineOf(image),
    image.userId,
    image.userName,
    image.groupId,
    image.sessionId,
    image.ttyNumber,
    unseenOf(image),
  ]);
}

export function commandLineOf(image: ProcessImage): string | null {
  return image.argv === null ? null : JSON.stringify(image.argv);
}

export function unseenOf(image: ProcessImage): string | null {
  return image.unseen.length === 0 ? null : JSON.stringify(image.unseen);
}

function storedFingerprint(row: StoredImage): string {
  return fingerprint([
    row.ppid,
    row.name,
    row.exe_deleted,
    row.command_line,
    row.user_id,
    row.user_name,
    row.group_id,
    row.session_id,
    row.tty_number,
    row.unseen,
  ]);
}

function fingerprint(values: readonly (string | number | null)[]): string {
  return JSON.stringify(values);
}
