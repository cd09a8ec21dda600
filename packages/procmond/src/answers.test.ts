import { NO_EVENTS } from '@sentineld/model/process-event';
import {
  AppendReplySchema,
  ArchiveReplySchema,
  CheckpointNoticeSchema,
  ProcmondReplySchema,
  RestoreReplySchema,
  RotateKeyReplySchema,
} from '@sentineld/model/reply';
import type { Request } from '@sentineld/model/request';
import { SOCKET_ROLES } from '@sentineld/model/request';
import type { Peer } from '@sentineld/runtime/ipc/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answer, type AnswerContext, type ProcmondHealth } from './answers.ts';
import type { CollectionHealth } from './collection-health.ts';
import type { CollectorState } from './collector.ts';
import type { LedgerHealth } from './ledger-keeper.ts';
import { createFakes, ledgerError, type Fakes } from './fixtures/fakes.fixture.ts';

const PEER: Peer = { role: 'sentinelagent', credentials: { pid: 10, uid: 1000, gid: 1000 } };
const LAST: NonNullable<CollectorState['last']> = {
  event: 'scan.completed',
  scanId: 4,
  correlationId: 'scan-1',
  timestampMs: 100_000,
  durationMs: 5,
  processes: 10,
  accessible: 10,
  started: 0,
  changed: 0,
  stopped: 0,
  reducedVisibility: null,
  events: NO_EVENTS,
};

const COLLECTION: CollectionHealth = {
  events: { tier: 'kernel', reasons: [], total: NO_EVENTS, queued: 0, spilled: 0 },
  budget: { level: 0, word: 'normal', cpuPercent: 1, rssBytes: 1, limits: { cpuPercent: 5, memoryBytes: 104_857_600 } },
  storage: { sizeBytes: 4096, walBytes: 0, paused: null, oldestScanMs: 1000, newestScanMs: 1000 },
  hashing: { pending: 6, paused: false },
  notes: [],
  stall: null,
};

const LEDGER: LedgerHealth = {
  sequence: 7,
  entryHash: 'ab',
  keyId: '0a0b0c0d',
  checkpoint: { epoch: 2, treeSize: 6, timestampMs: 100_000 },
  mirrors: [{ path: '/m', treeSize: 6, failure: null }],
  pending: 3,
};

beforeEach(() => void vi.spyOn(Date, 'now').mockReturnValue(101_000));
afterEach(() => vi.restoreAllMocks());

function context(fakes: Fakes, collector: Partial<CollectorState> = {}, unconfined: string | null = null): AnswerContext {
  return {
    version: '1.2.3',
    startedMs: 90_000,
    watch: {
      collector: { state: { scans: 4, last: LAST, failure: null, ...collector } },
      intervalMs: () => 2000,
      health: () => COLLECTION,
    },
    events: fakes.events,
    keeper: {
      ledger: fakes.ledger,
      health: () => LEDGER,
      problems: () => fakes.ledgerProblems,
      checkpoint: () => fakes.ledger.checkpoint(),
      archive: (beforeMs) => fakes.ledger.archive(beforeMs),
      restore: (claims) => fakes.ledger.restore(claims),
    },
    ownUid: 990,
    onRefused: ({ peer, reason }) => void fakes.done.push(`refused ${peer.credentials?.uid}: ${reason}`),
    privileges: {
      proof: { uid: 1, gid: 1, groups: [], threads: 9, effective: '0', bounding: '0', noNewPrivileges: true, seccomp: true, refused: [] },
      seesOtherUsers: true,
      unconfined,
      native: null,
      events: { tier: 'kernel', descriptors: [], reasons: [] },
    },
  };
}

const OWNERS: readonly Request[] = [
  { request: 'ledger.rotate_key' },
  { request: 'ledger.archive', beforeMs: 5 },
  { request: 'ledger.restore', reason: 'disk', notes: ['n'] },
];

const health = (given: AnswerContext): ProcmondHealth => answer(given, { request: 'health' }, PEER) as ProcmondHealth;

describe('health', () => {
  it('is ok where nothing is wrong, and says what there is to know', () => {
    const given = context(createFakes());
    expect(health(given)).toEqual({
      component: 'procmond',
      version: '1.2.3',
      pid: process.pid,
      uid: process.getuid?.(),
      startedMs: 90_000,
      state: 'ok',
      problems: [],
      intervalMs: 2000,
      scans: 4,
      lastScan: LAST,
      collection: COLLECTION,
      ledger: LEDGER,
      privileges: given.privileges.proof,
      hostId: 'host',
    });
  });

  it.each<[string, Partial<CollectorState>, string | null, string]>([
    ['system calls stay open', {}, 'no addon', 'system calls that are not needed stay open: no addon'],
    ['not everything is seen', { last: { ...LAST, reducedVisibility: 'half of it' } }, null, 'reduced visibility: half of it'],
  ])('is degraded where %s', (_what, collector, unconfined, problem) => {
    expect(health(context(createFakes(), collector, unconfined))).toMatchObject({ state: 'degraded', problems: [problem] });
  });

  it('is failing where scans cannot be stored, with since when', () => {
    const failure = { message: 'disk is full', sinceMs: 0 };
    expect(health(context(createFakes(), { failure }))).toMatchObject({
      state: 'failing',
      problems: ['scans cannot be stored since 1970-01-01T00:00:00.000Z: disk is full'],
    });
  });

  it('is failing where the ledger takes nothing', () => {
    const fakes = createFakes();
    fakes.broken = ledgerError('no space');
    expect(health(context(fakes))).toMatchObject({ state: 'failing', problems: ['the ledger takes no entries: no space'] });
  });

  it('is failing where the ledger is contradicted, and degraded where its checkpoints get nowhere', () => {
    const fakes = createFakes();
    fakes.ledgerProblems = { failures: [], degradations: ['the mirror /m'] };
    expect(health(context(fakes))).toMatchObject({ state: 'degraded', problems: ['the mirror /m'] });
    fakes.ledgerProblems = { failures: ['it was put back'], degradations: ['the mirror /m'] };
    expect(health(context(fakes))).toMatchObject({ state: 'failing', problems: ['it was put back', 'the mirror /m'] });
  });

  it('is failing where the newest scan is too old, or there never was one', () => {
    const now = vi.spyOn(Date, 'now');
    // Three intervals and five seconds.
    now.mockReturnValue(100_000 + 11_000);
    expect(health(context(createFakes()))).toMatchObject({ state: 'ok' });
    now.mockReturnValue(100_000 + 11_001);
    expect(health(context(createFakes()))).toMatchObject({ state: 'failing', problems: ['the newest scan is 11 s old'] });
    now.mockReturnValue(90_000 + 11_001);
    expect(health(context(createFakes(), { last: null, scans: 0 }))).toMatchObject({ state: 'failing', lastScan: null });
  });

  it('names everything, what fails first', () => {
    const { state, problems } = health(
      context(createFakes(), { failure: { message: 'x', sinceMs: 0 }, last: { ...LAST, reducedVisibility: 'y' } }, 'z'),
    );
    expect(state).toBe('failing');
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual(['scans', 'system', 'reduced']);
  });

  it('is what others read of it', () => {
    const said = health(context(createFakes()));
    expect(ProcmondReplySchema.parse(JSON.parse(JSON.stringify(said)))).toMatchObject({ pid: process.pid, hostId: 'host', lastScan: LAST });
    expect(ProcmondReplySchema.parse({ ...said, lastScan: null }).lastScan).toBeNull();
    expect(ProcmondReplySchema.safeParse({ ...said, pid: '1' }).success).toBe(false);
  });

  it('fits a frame', () => {
    expect(JSON.stringify(health(context(createFakes()))).length).toBeLessThan(10_000);
  });
});

describe('the other requests', () => {
  const entries = [
    { originSequence: 1, event: { action: 'start', data: {} } },
    { originSequence: 2, event: { action: 'stop', data: {} } },
  ] as const;

  it.each(SOCKET_ROLES)('audit.append from %s is recorded with the role of the socket and the credentials of the kernel', async (role) => {
    const fakes = createFakes();
    const reply = await answer(context(fakes), { request: 'audit.append', origin: 'o1', entries }, { ...PEER, role });
    expect(fakes.done).toEqual([`submit ${role} o1 2 1000`]);
    expect(AppendReplySchema.parse(reply)).toEqual({ head: { sequence: 7, entryHash: 'ab' }, lastOriginSequence: 2 });
  });

  it.each<Request>([{ request: 'audit.append', origin: 'o1', entries }, ...OWNERS])(
    '$request is refused where it cannot be told who sends',
    (request) => {
      const fakes = createFakes();
      const ask = (): unknown => answer(context(fakes), request, { role: 'sentinelcli', credentials: null });
      expect(ask).toThrow(expect.objectContaining({ code: 'native.unavailable' }));
      expect(fakes.done).toEqual([]);
    },
  );

  it('ledger.checkpoint is for everybody who may connect', () => {
    const fakes = createFakes();
    const reply = answer(context(fakes), { request: 'ledger.checkpoint' }, PEER);
    expect(CheckpointNoticeSchema.parse(reply)).toEqual({ epoch: 1, treeSize: 7, timestampMs: 100_500, note: 'a note' });
  });

  it.each(OWNERS)("$request is for root and procmond's own user, and what others ask is recorded", (request) => {
    const fakes = createFakes();
    const ask = (uid: number): unknown =>
      answer(context(fakes), request, { role: 'sentinelcli', credentials: { pid: 10, uid, gid: 1000 } });
    expect(() => ask(1000)).toThrow(expect.objectContaining({ code: 'ipc.refused', message: expect.stringContaining('not for uid 1000') }));
    expect(fakes.done).toEqual([`refused 1000: uid 1000 may not ask for ${request.request}`]);
    ask(0);
    ask(990);
    expect(fakes.done).toHaveLength(3);
  });

  it('what changes the ledger is done as it was asked for, and a restore by whom the kernel says', async () => {
    const fakes = createFakes();
    const root: Peer = { role: 'sentinelcli', credentials: { pid: 10, uid: 0, gid: 0 } };
    const [rotate, archive, restore] = await Promise.all(OWNERS.map(async (request) => answer(context(fakes), request, root)));
    expect(fakes.done).toEqual(['rotate', 'archive 5', 'restore disk 0 1']);
    expect(RotateKeyReplySchema.parse(rotate)).toEqual(rotate);
    expect(ArchiveReplySchema.parse(archive)).toEqual(archive);
    expect(RestoreReplySchema.parse(restore)).toEqual(restore);
  });

  it('subscribe needs nothing but the server', () => {
    expect(answer(context(createFakes()), { request: 'subscribe' }, PEER)).toEqual({});
  });

  it.each<Request>([
    { request: 'rules', offset: 0 },
    { request: 'audit.queue', event: { action: 'start', data: {} } },
  ])('$request is for the agent', (request) => {
    expect(() => answer(context(createFakes()), request, PEER)).toThrow(expect.objectContaining({ code: 'ipc.refused' }));
  });
});
