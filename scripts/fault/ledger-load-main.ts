/**
 * The writer of a ledger under load, as a process of its own that a campaign kills: several clients at once, own entries,
 * checkpoints, now and then a new key and an archive. What was acknowledged is told on descriptor 3, after it was.
 */
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { SentinelError } from '@sentineld/model/error';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';
import { entryOf, openLoadWriter, type Acknowledgement, type LoadPlan } from './rig/ledger-load.ts';
import { createRandom, type Random } from './rig/random.ts';

/** Where acknowledgements go: `MARKS_DESCRIPTOR` of the log of writes. */
const TOLD = 3;
/** The writer asks for patience where too much waits; a client comes again. */
const AGAIN_MS = 5;

const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan;
let stepsLeft = plan.steps ?? Number.POSITIVE_INFINITY;

/** Waits until it is written: what is told was told, whatever happens next. */
function tell(acknowledgement: Acknowledgement): void {
  const line = Buffer.from(`${JSON.stringify(acknowledgement)}\n`);
  for (let at = 0; at < line.length;) at += writeSync(TOLD, line, at);
}

/** Does `work` until it is done. After a write that failed the writer is opened anew, where failures are part of the plan. */
async function persist(writer: LedgerWriter, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (cause) {
      const isBusy = cause instanceof SentinelError && cause.code === 'state.unusable' && writer.failure() === null;
      if (!isBusy && !plan.isFailing) throw cause;
    }
    await sleep(AGAIN_MS);
    if (writer.failure() !== null) reopen(writer);
  }
}

/** What fails here fails again: then it is tried again. */
function reopen(writer: LedgerWriter): void {
  try {
    writer.reopen();
    tell({ told: 'reopen', head: writer.head() });
  } catch (cause) {
    if (writer.failure() === null) throw cause;
  }
}

/** One client: it numbers its entries and sends those again that were not acknowledged. */
async function client(writer: LedgerWriter, id: string, acknowledged: number, random: Random): Promise<void> {
  const peer = { uid: 1000, pid: process.pid };
  for (let next = acknowledged + 1; stepsLeft > 0;) {
    stepsLeft -= 1;
    const entries = Array.from({ length: random.between(1, 5) }, (_, at) => entryOf(id, next + at));
    await persist(writer, async () => {
      const { head, lastOriginSequence: last } = await writer.submit('sentinelagent', id, entries, peer);
      tell({ told: 'submit', origin: id, last, head });
      // More than that was sent before a crash, and had been written without a word.
      if (last < next + entries.length - 1) throw new Error(`${id}: only ${last} was acknowledged of ${next + entries.length - 1}`);
      next = last + 1;
    });
    await sleep(random.between(0, plan.pauseMs));
  }
}

/** What procmond does itself. */
async function keeper(writer: LedgerWriter, random: Random): Promise<void> {
  const now = (work: () => void): Promise<void> => persist(writer, async () => Promise.resolve(work()));
  for (let scan = 1; stepsLeft > 0; scan++) {
    stepsLeft -= 1;
    const event = { action: 'process_scan_complete' as const, data: { scan_id: scan } };
    const events = Array.from({ length: random.between(1, 3) }, () => event);
    await now(() => tell({ told: 'append', head: writer.append('procmond', events) }));
    if (random.chance(plan.checkpoints)) await now(() => tell({ told: 'checkpoint', ...writer.checkpoint() }));
    if (random.chance(plan.rotations)) await now(() => tell({ told: 'rotation', ...writer.rotateKey() }));
    if (random.chance(plan.archives)) await persist(writer, () => archive(writer, Date.now() - random.between(0, plan.keptMs)));
    await sleep(random.between(0, plan.pauseMs));
  }
}

async function archive(writer: LedgerWriter, beforeMs: number): Promise<void> {
  const reply = await writer.archive(beforeMs);
  if (reply.path !== '') tell({ told: 'archive', ...reply });
}

/** A start that fails as writes do is tried again, as a service manager would. */
async function open(): Promise<LedgerWriter> {
  for (;;) {
    try {
      return openLoadWriter(plan, (notice) => tell({ told: 'checkpoint', ...notice }));
    } catch (cause) {
      if (!plan.isFailing || !(cause instanceof SentinelError) || cause.code !== 'state.unusable') throw cause;
    }
    await sleep(AGAIN_MS);
  }
}

async function work(): Promise<void> {
  const random = createRandom(plan.seed);
  const writer = await open();
  // Nothing is left at an end that is none: the next start is to be a short one.
  flushCompileCache();
  tell({ told: 'open', head: writer.head(), keyId: writer.key().id, checkpoint: writer.newestCheckpoint() });
  const clients = plan.clients.map(({ id, acknowledged }, at) => client(writer, id, acknowledged, createRandom(plan.seed + at + 1)));
  await Promise.all([...clients, keeper(writer, random)]);
  if (plan.end === 'stop') writer.stop();
}

// Ends with the campaign, whatever becomes of that.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL')).resume();
try {
  await work();
  tell({ told: 'done' });
} catch (cause) {
  const isKnown = cause instanceof SentinelError;
  // What is no error of the product names the place that let it through.
  const why = isKnown ? `${cause.message} ${cause.why}` : ((cause instanceof Error ? cause.stack : null) ?? String(cause));
  tell({ told: 'failure', code: isKnown ? cause.code : 'unknown', why });
}
// A clean end would let SQLite close the file, and that removes its log.
process.kill(process.pid, 'SIGKILL');
