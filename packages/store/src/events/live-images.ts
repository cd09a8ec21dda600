/**
 * What the store knows of processes that the newest scan saw, kept in memory so that a scan writes only what changed;
 * read back at start, so that a restart does not begin every process anew.
 */
import { hash } from 'node:crypto';
import type { ProcessImage } from '@sentineld/model/process';
import type { WriterDatabase } from '../open.ts';
import { LIVE_NODE, nodeOfInterval } from './scan-interval.ts';
import { CONTEXT_COLUMNS, OWNER_COLUMNS, contextCells, ownerCells } from './shared-rows.ts';
import { commandLine } from './views.ts';

export type LiveImage = {
  readonly imageId: number;
  readonly firstScan: number;
  readonly startTicks: number;
  readonly executableId: number | null;
  /** The very object that was stored; null for one that was read back, which is compared by its fingerprint. */
  image: ProcessImage | null;
  /** Of an image that was read back, until it is seen again. */
  fingerprint: string | null;
  cpuPercent: number | null;
  memoryBytes: number;
  threads: number | null;
  status: string;
  /** Counts scans of this run; tells which processes the current one did not see. */
  round: number;
};

type Cell = string | number | null;
/** A row of process_image, and the cells of its fingerprint in their order. */
type StoredImage = {
  readonly id: number;
  readonly first_scan: number;
  readonly pid: number;
  readonly start_ticks: number;
  readonly boot_id: string;
  readonly executable_id: number | null;
  readonly [cell: `cell_${number}`]: Cell;
};

/** Ends an image with the scan that saw it last. */
export type EndImage = (image: Pick<LiveImage, 'imageId' | 'firstScan'>, lastScan: number, endedBy: 'stopped' | 'changed') => void;

export function prepareEndImage(db: WriterDatabase): EndImage {
  const statement = db.prepare('UPDATE process_image SET last_scan = ?, node = ?, ended_by_change = ? WHERE id = ?');
  return ({ imageId, firstScan }, lastScan, endedBy) => {
    statement.run(lastScan, nodeOfInterval(firstScan, lastScan), endedBy === 'changed' ? 1 : 0, imageId);
  };
}

/** Where the cells of a fingerprint are stored, over image `i` and what it refers to. */
const STORED_CELLS: readonly string[] = [
  'i.ppid',
  'c.name',
  'i.exe_deleted',
  commandLine('c'),
  'c.redacted',
  'i.session_id',
  'i.tty_number',
  'w.text',
  'i.unseen',
  ...OWNER_COLUMNS.map((column) => `o.${column}`),
  ...CONTEXT_COLUMNS.map((column) => `k.${column}`),
];

const LIVE_IMAGES_SQL = `SELECT i.id, i.first_scan, i.pid, i.start_ticks, i.executable_id, r.boot_id,
  ${STORED_CELLS.map((sql, index) => `${sql} AS cell_${index}`).join(', ')}
FROM process_image i JOIN collector_run r ON r.id = i.run_id
  LEFT JOIN command c ON c.id = i.command_id
  LEFT JOIN process_owner o ON o.id = i.owner_id
  LEFT JOIN process_context k ON k.id = i.context_id
  LEFT JOIN path w ON w.id = i.cwd_id
WHERE i.node = ${LIVE_NODE}`;

/** Live images of the file by pid; those of another boot are ended with the scan that saw them last. */
export function loadLiveImages(db: WriterDatabase, bootId: string): Map<number, LiveImage> {
  const newestScan = db.prepare<[], number>('SELECT max(id) FROM scan').pluck().get() ?? 0;
  const endImage = prepareEndImage(db);
  const live = new Map<number, LiveImage>();
  for (const row of db.prepare<[], StoredImage>(LIVE_IMAGES_SQL).all()) {
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
      fingerprint: fingerprint(STORED_CELLS.map((_, index) => row[`cell_${index}`] ?? null)),
      cpuPercent: null,
      memoryBytes: -1,
      threads: null,
      status: '',
      round: 0,
    });
  }
  return live;
}

/** Whether the image says what the live one does, apart from its executable, which is compared by its id. */
export function saysTheSame(live: LiveImage, image: ProcessImage): boolean {
  if (live.image === null) return live.fingerprint === fingerprint(cellsOf(image));
  return JSON.stringify(cellsOf(live.image)) === JSON.stringify(cellsOf(image));
}

/** In the order of STORED_CELLS. */
function cellsOf(image: ProcessImage): readonly Cell[] {
  const { ppid, name, exeDeleted, argv, redacted, sessionId, ttyNumber, cwd } = image;
  const commandLineText = argv === null ? null : JSON.stringify(argv);
  return [
    ppid,
    name,
    exeDeleted ? 1 : 0,
    commandLineText,
    redacted,
    sessionId,
    ttyNumber,
    cwd,
    unseenOf(image),
    ...ownerCells(image),
    ...contextCells(image),
  ];
}

export function unseenOf(image: ProcessImage): string | null {
  return image.unseen.length === 0 ? null : JSON.stringify(image.unseen);
}

/** Short, because there is one for each process until it is seen again. */
function fingerprint(cells: readonly Cell[]): string {
  return hash('sha256', JSON.stringify(cells), 'base64');
}
