/**
 * What a disk may hold after its power was lost, made from a log of changes: all that was synced is there, of the rest a
 * random part. Harsher than most file systems, and no harsher than fsync(2) promises: writes of one file are kept or lost
 * independently and tear at sectors, names are kept or lost independently of each other and of the bytes behind them.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PowerRecord } from './power-log.ts';
import type { Random } from './random.ts';

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;

/** Syncs that are taken for made; a control leaves some of them out, and must lose something. */
export type Honoured = 'all' | 'no files' | 'no names';

type Write = { readonly offset: number; readonly bytes: Buffer };
type Change = Write | { readonly length: number };

/**
 * A file: what is safe, and what came since, in order. After a sync that failed, pages may be taken for written that are not
 * (fsync(2), NOTES): those in `dropped` no later sync brings to disk, unless somebody writes to the same page again.
 */
type Inode = { safe: Buffer; size: number; pending: Change[]; dropped: Map<number, Write[]> };

/** What one call does to names: all of it or nothing. */
type NameChange = { readonly directories: readonly string[]; readonly names: readonly (readonly [string, Inode | 'directory' | null])[] };

/** A disk up to some point of the log. */
export type Disk = { readonly inodes: Map<bigint, Inode>; readonly names: Map<string, Inode | 'directory'>; pending: NameChange[] };

export function emptyDisk(): Disk {
  return { inodes: new Map(), names: new Map(), pending: [] };
}

/** The disk as it is now below `root`, all of it safe: what it begins with when it was used before. */
export function diskOf(root: string): Disk {
  const disk = emptyDisk();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) disk.names.set(path, 'directory');
    if (!entry.isFile() || path.endsWith('-shm')) continue;
    const safe = readFileSync(path);
    const inode: Inode = { safe, size: safe.length, pending: [], dropped: new Map() };
    disk.names.set(path, inode);
    disk.inodes.set(statSync(path, { bigint: true }).ino, inode);
  }
  return disk;
}

/** The disk goes on by one record. `random` decides what a sync that failed leaves behind. */
export function replay(disk: Disk, record: PowerRecord, random: Random, honoured: Honoured = 'all'): void {
  switch (record.kind) {
    case 'write':
      addWrite(inodeOf(disk, record.inode), record);
      return;
    case 'truncate':
      inodeOf(disk, record.inode).pending.push({ length: record.length });
      return;
    case 'sync':
      if (honoured !== 'no files') makeSafe(inodeOf(disk, record.inode));
      return;
    case 'failed sync':
      dropPages(inodeOf(disk, record.inode), random);
      return;
    case 'sync directory':
      if (honoured !== 'no names') makeNamesSafe(disk, record.path);
      return;
    case 'mark':
      return;
    default:
      disk.pending.push(nameChangeOf(disk, record));
  }
}

type NameRecord = Extract<PowerRecord, { readonly kind: 'create' | 'rename' | 'link' | 'unlink' | 'make directory' | 'remove directory' }>;

function nameChangeOf(disk: Disk, record: NameRecord): NameChange {
  switch (record.kind) {
    case 'create': {
      // A number is given anew once its file is gone.
      const inode: Inode = { safe: Buffer.alloc(0), size: 0, pending: [], dropped: new Map() };
      disk.inodes.set(record.inode, inode);
      return { directories: [dirname(record.path)], names: [[record.path, inode]] };
    }
    case 'rename':
    case 'link': {
      const inode = inodeOf(disk, record.inode);
      const gone = record.kind === 'rename' ? ([[record.from, null]] as const) : [];
      return { directories: [dirname(record.from), dirname(record.to)], names: [...gone, [record.to, inode]] };
    }
    case 'unlink':
    case 'remove directory':
      return { directories: [dirname(record.path)], names: [[record.path, null]] };
    case 'make directory':
      return { directories: [dirname(record.path)], names: [[record.path, 'directory']] };
  }
}

function inodeOf(disk: Disk, number: bigint): Inode {
  const inode = disk.inodes.get(number);
  if (inode === undefined) throw new Error(`the log changes inode ${number}, which was there before it began`);
  return inode;
}

/** The page is written as a whole, and with it what a failed sync had left behind in it. */
function addWrite(inode: Inode, { offset, bytes }: Write): void {
  for (const page of inode.dropped.size === 0
    ? []
    : partsOf({ offset, bytes }, PAGE_BYTES).map(({ offset: at }) => Math.floor(at / PAGE_BYTES))) {
    inode.pending.push(...(inode.dropped.get(page) ?? []));
    inode.dropped.delete(page);
  }
  inode.pending.push({ offset, bytes });
}

/** Each page that waits is kept waiting, or is forgotten. */
function dropPages(file: Inode, random: Random): void {
  const inode = file;
  const fates = new Map<number, boolean>();
  const kept: Change[] = [];
  for (const change of inode.pending) {
    if ('length' in change) kept.push(change);
    else
      for (const part of partsOf(change, PAGE_BYTES)) {
        const page = Math.floor(part.offset / PAGE_BYTES);
        const isDropped = fates.get(page) ?? random.chance(0.5);
        fates.set(page, isDropped);
        if (isDropped) inode.dropped.set(page, [...(inode.dropped.get(page) ?? []), part]);
        else kept.push(part);
      }
  }
  inode.pending = kept;
}

function makeSafe(inode: Inode): void {
  for (const change of inode.pending) apply(inode, change);
  inode.pending = [];
}

/** Both directories of a rename know of it when one was synced: it is one change, and not half of it. */
function makeNamesSafe(disk: Disk, directory: string): void {
  const [safe, open] = [[], []] as [NameChange[], NameChange[]];
  for (const change of disk.pending) (change.directories.includes(directory) ? safe : open).push(change);
  for (const change of safe) applyNames(disk.names, change);
  disk.pending = open;
}

function applyNames(names: Map<string, Inode | 'directory'>, { names: changed }: NameChange): void {
  for (const [path, to] of changed) {
    if (to === null) names.delete(path);
    else names.set(path, to);
  }
}

/** Bytes beyond the end that were not written are zeros. */
function apply(inode: Pick<Inode, 'safe' | 'size'>, change: Change): void {
  const file = inode;
  if ('length' in change) {
    if (change.length < file.size) file.safe.fill(0, change.length, file.size);
    reserve(file, change.length);
    file.size = change.length;
    return;
  }
  reserve(file, change.offset + change.bytes.length);
  change.bytes.copy(file.safe, change.offset);
  file.size = Math.max(file.size, change.offset + change.bytes.length);
}

function reserve(inode: Pick<Inode, 'safe' | 'size'>, bytes: number): void {
  const file = inode;
  if (bytes <= file.safe.length) return;
  const larger = Buffer.alloc(Math.max(bytes, file.safe.length * 2));
  file.safe.copy(larger, 0, 0, file.size);
  file.safe = larger;
}

/** How many of the changes that were not synced an image has. */
export type ImageFigures = { readonly kept: number; readonly torn: number; readonly lost: number };

/** Writes to `target` one of the states that the disk may be in without its power. Names are those below `root`. */
export function writeImage(disk: Disk, root: string, target: string, random: Random): ImageFigures {
  const figures = { kept: 0, torn: 0, lost: 0 };
  const names = new Map(disk.names);
  // Now and then all of it, or nothing.
  const likelihood = random.pick([0, 1, 0.2, 0.5, 0.8, 0.95]);
  for (const change of disk.pending) {
    const isKept = random.chance(likelihood);
    figures[isKept ? 'kept' : 'lost'] += 1;
    if (isKept) applyNames(names, change);
  }
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true, mode: 0o700 });
  // A file of two names is one file, with one fate.
  const contents = new Map<Inode, Buffer>();
  for (const [path, entry] of [...names].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isReachable(names, root, path)) continue;
    const there = join(target, path.slice(root.length));
    if (entry === 'directory') {
      mkdirSync(there, { recursive: true, mode: 0o700 });
      continue;
    }
    const bytes = contents.get(entry) ?? contentOf(entry, likelihood, random, figures);
    contents.set(entry, bytes);
    writeFileSync(there, bytes, { mode: 0o600 });
  }
  return figures;
}

/** A name whose directory is gone cannot be reached. */
function isReachable(names: ReadonlyMap<string, Inode | 'directory'>, root: string, path: string): boolean {
  for (let above = dirname(path); above !== root; above = dirname(above)) if (names.get(above) !== 'directory') return false;
  return true;
}

function contentOf(inode: Inode, likelihood: number, random: Random, figures: { kept: number; torn: number; lost: number }): Buffer {
  const file = { safe: Buffer.from(inode.safe.subarray(0, inode.size)), size: inode.size };
  for (const change of inode.pending) {
    if ('bytes' in change && random.chance(0.3)) {
      for (const part of partsOf(change, SECTOR_BYTES)) if (random.chance(likelihood)) apply(file, part);
      figures.torn += 1;
    } else if (random.chance(likelihood)) {
      apply(file, change);
      figures.kept += 1;
    } else {
      figures.lost += 1;
    }
  }
  return file.safe.subarray(0, file.size);
}

/** The parts of a write that lie in one sector or page of the file each. */
function partsOf({ offset, bytes }: Write, unit: number): readonly Write[] {
  const parts: Write[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Math.min(bytes.length - at, unit - ((offset + at) % unit));
    parts.push({ offset: offset + at, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return parts;
}
