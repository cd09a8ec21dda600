import type { AuditEvent } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { describe, expect, it } from 'vitest';
import { createStorageGuard, type LogReader } from './storage-guard.ts';

const MIB = 1_048_576;

function create() {
  const world = {
    ledgerIsFull: false,
    failure: null as string | null,
    walBytes: 0,
    held: false,
    readers: [] as LogReader[],
    nowMs: 1000,
    checkpoints: 0,
  };
  const recorded: AuditEvent[] = [];
  const guard = createStorageGuard({
    walLimitBytes: () => 64 * MIB,
    walBytes: () => world.walBytes,
    checkpoint: () => {
      world.checkpoints++;
      if (world.failure !== null) throw new Error(world.failure);
      if (!world.held) world.walBytes = 0;
      return { walBytes: world.walBytes };
    },
    readers: () => world.readers,
    ledgerIsFull: () => world.ledgerIsFull,
    record: (event) => recorded.push(event),
    nowMs: () => world.nowMs,
  });
  return { guard, world, recorded };
}

const errno = (code: string): Error => Object.assign(new Error(`it failed with ${code}`), { code });

describe('a log that grows', () => {
  it('is let be up to its limit, and emptied beyond', () => {
    const { guard, world } = create();
    world.walBytes = 64 * MIB;
    guard.check();
    expect(world.checkpoints).toBe(0);
    world.walBytes++;
    guard.check();
    expect([world.checkpoints, world.walBytes, guard.pause()]).toEqual([1, 0, null]);
  });

  it('pauses storage while a reader holds it, names that reader, and goes on when it lets go', () => {
    const { guard, world, recorded } = create();
    world.walBytes = 70 * MIB - 5;
    world.held = true;
    world.readers = [{ pid: 4711, name: 'slow-report' }];
    expect(() => guard.check()).toThrow('the log of events.db has 70MiB, more than 64MiB, and is held by slow-report (pid 4711)');
    world.nowMs = 5000;
    expect(() => guard.check()).toThrow(SentinelError);
    expect(guard.pause()).toMatchObject({ kind: 'log_held', sinceMs: 1000 });
    expect(recorded.map(({ action }) => action)).toEqual(['storage_pause']);
    world.held = false;
    guard.check();
    expect(guard.pause()).not.toBeNull();
    guard.stored();
    expect(guard.pause()).toBeNull();
    expect(recorded[1]).toMatchObject({ action: 'storage_resume', data: { kind: 'log_held', paused_ms: 4000 } });
    guard.stored();
    expect(recorded).toHaveLength(2);
  });

  it('is said to be held also where nobody can be seen to', () => {
    const { guard, world } = create();
    world.walBytes = 70 * MIB;
    world.held = true;
    expect(() => guard.check()).toThrow('held by somebody who cannot be seen from here');
  });
});

describe('a checkpoint that failed', () => {
  it('pauses storage until one succeeds', () => {
    const { guard, world, recorded } = create();
    guard.check();
    expect(world.checkpoints).toBe(0);
    world.failure = 'the disk does not sync';
    world.nowMs += 5000;
    expect(() => guard.check()).toThrow('the disk does not sync');
    expect(guard.pause()).toMatchObject({ kind: 'disk_error', reason: 'the disk does not sync' });
    world.failure = null;
    guard.check();
    guard.stored();
    expect(recorded.map(({ action }) => action)).toEqual(['storage_pause', 'storage_resume']);
  });
});

describe('a ledger that has only its reserve', () => {
  it('pauses storage, so that the reserve lasts, until it has room again', () => {
    const { guard, world, recorded } = create();
    world.ledgerIsFull = true;
    expect(() => guard.check()).toThrow(expect.objectContaining({ code: 'state.unusable' }));
    expect(() => guard.check()).toThrow('the file system of the ledger is full');
    expect(guard.pause()).toMatchObject({ kind: 'no_room' });
    world.ledgerIsFull = false;
    guard.check();
    guard.stored();
    expect(recorded.map(({ action }) => action)).toEqual(['storage_pause', 'storage_resume']);
  });
});

describe('a write that failed', () => {
  it.each([
    ['SQLITE_FULL', 'no_room'],
    ['ENOSPC', 'no_room'],
    ['EDQUOT', 'no_room'],
    ['SQLITE_IOERR_WRITE', 'disk_error'],
    ['EROFS', 'disk_error'],
  ])('pauses storage for %s until one succeeds', (code, kind) => {
    const { guard, recorded } = create();
    guard.failed(errno(code));
    guard.failed(errno(code));
    expect(guard.pause()).toEqual({ kind, reason: `it failed with ${code}`, sinceMs: 1000 });
    guard.stored();
    expect(guard.pause()).toBeNull();
    expect(recorded.map(({ action }) => action)).toEqual(['storage_pause', 'storage_resume']);
  });

  it('pauses it for what the store itself calls unusable, and for nothing else', () => {
    const { guard } = create();
    guard.failed(new SentinelError('internal.bug', { message: 'x' }));
    guard.failed(errno('SQLITE_CONSTRAINT'));
    guard.failed('text');
    expect(guard.pause()).toBeNull();
    guard.failed(new SentinelError('state.unusable', { message: 'no space' }));
    expect(guard.pause()).toMatchObject({ kind: 'no_room', reason: 'no space' });
  });
});
