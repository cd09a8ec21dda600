/**
 * Work for an installation while faults happen to it: short-lived processes, processes that a rule must report,
 * operators that ask, and a client that has entries recorded. What each was promised is kept, to be held against later.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SentinelError } from '@sentineld/model/error';
import type { AppendReply } from '@sentineld/model/request';
import { askOnce } from '@sentineld/runtime/ipc/client';
import type { Campaign } from './campaign.ts';
import { withDatabase } from './evidence.ts';
import { isAlive, knownProcess, signalProcess, type KnownProcess } from './processes.ts';
import { temporaryDirectory } from './programs.ts';
import { toolProblem } from './refusal.ts';
import type { Site } from './site.ts';

export type Load = { readonly stop: () => Promise<void> };

/** A crowd that stays, and about fifty processes a second that come and go. */
export function startChurn(campaign: Campaign, crowd = 60): Load {
  const script = `for one in $(seq ${crowd}); do sleep 3600 & done; while :; do /bin/true; sleep 0.02; done`;
  return startShell(campaign, 'churning processes', script);
}

/** Short lives with many arguments, all different: each leaves about 90 KiB in the store. */
export function startBulk(campaign: Campaign, perSecond = 40): Load {
  const lives = `sh -c 'sleep 2; :' "$n" "$n$pad" "$pad$n" & sleep ${1 / perSecond}`;
  const script = `pad=$(head -c 45000 /dev/zero | tr '\\0' x); n=0; while :; do n=$((n+1)); ${lives}; done`;
  return startShell(campaign, 'processes with many arguments', script);
}

function startShell(campaign: Campaign, what: string, script: string): Load {
  // A group of its own, so that all of it can be ended at once.
  const child = spawn('/bin/sh', ['-c', script], { stdio: 'ignore', detached: true });
  const known = child.pid === undefined ? null : knownProcess(child.pid);
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const stop = async (): Promise<void> => {
    if (known !== null && isAlive(known)) process.kill(-known.pid, 'SIGKILL');
    await ended;
  };
  campaign.cleanup.defer(what, stop);
  return { stop };
}

/** A program in /tmp that runs. */
export type Bait = { readonly path: string };

export type Baits = {
  /** Starts a program in /tmp, which the rule executable-in-temporary-directory reports, each path once. */
  readonly plant: () => Bait;
  /** Alert ids of the bait; empty while there is none. */
  readonly alertsOf: (bait: Bait) => readonly number[];
  /** Starts the same program once more. */
  readonly again: (bait: Bait) => void;
  /** Ends one; its program stays. */
  readonly end: (bait: Bait) => void;
  /** Ends those that were reported and gives those that were not. */
  readonly reap: () => readonly Bait[];
};

export function createBaits(campaign: Campaign, site: Site): Baits {
  const directory = temporaryDirectory(campaign.cleanup);
  const waiting = new Set<Bait>();
  const running = new Map<string, KnownProcess>();
  const end = ({ path }: Bait): void => {
    const known = running.get(path);
    if (known !== undefined) signalProcess(known, 'SIGKILL');
    running.delete(path);
  };
  const begin = (path: string): void => {
    const child = spawn(path, ['3600'], { stdio: 'ignore', ...site.user });
    child.on('error', () => undefined);
    const known = child.pid === undefined ? null : knownProcess(child.pid);
    if (known === null) throw new Error(`${path} cannot be started`);
    running.set(path, known);
    campaign.count('baits');
  };
  campaign.cleanup.defer('baits', () => [...running.keys()].forEach((path) => end({ path })));
  const alertsOf = ({ path }: Bait): readonly number[] => {
    try {
      return withDatabase(site.paths.agentDb, (all) =>
        all("SELECT id FROM alerts WHERE rule_id = 'executable-in-temporary-directory' AND instr(query_result, ?) > 0", `"${path}"`).map(
          ({ id }) => Number(id),
        ),
      );
    } catch {
      // Not set up yet.
      return [];
    }
  };
  return {
    plant: () => {
      const path = join(directory, `bait-${randomBytes(6).toString('hex')}`);
      copyFileSync('/bin/sleep', path);
      begin(path);
      const bait = { path };
      waiting.add(bait);
      return bait;
    },
    alertsOf,
    again: ({ path }) => begin(path),
    end,
    reap: () => {
      for (const bait of waiting) {
        if (alertsOf(bait).length === 0) continue;
        end(bait);
        waiting.delete(bait);
      }
      return [...waiting];
    },
  };
}

/** Operators' questions, one after the other. A stack trace, a bug status or a ledger that fails is a finding. */
export function startOperator(campaign: Campaign, site: Site): Load {
  const questions: readonly [readonly string[], ...(readonly string[])[]] = [
    ['health'],
    ['query', 'SELECT count(*) FROM process_snapshots', '--json'],
    ['alerts', 'list'],
    ['audit', 'verify'],
  ];
  return keepDoing(campaign, 'operator', async () => {
    const words = campaign.random.pick(questions);
    // The ledger is not for operators to read.
    const finished = words[0] === 'audit' ? await site.cli(...words) : await site.operator(...words);
    campaign.count('operator questions');
    campaign.expect('cli-bug', toolProblem(words, finished));
    const failed = words[0] === 'audit' && finished.status === 1;
    campaign.expect('verify-failed', failed ? `sentinelcli audit verify: ${finished.stdout.slice(0, 300)}` : null);
    await sleep(1_000);
  });
}

export type Recorder = Load & {
  /** As the evidence names it. */
  readonly origin: string;
  readonly acknowledged: () => number;
};

/** A client of the operators' socket that numbers its entries and repeats what was not acknowledged. */
export function startRecorder(campaign: Campaign, site: Site, onHead: (reply: AppendReply) => void): Recorder {
  const origin = `fault-${randomBytes(6).toString('hex')}`;
  let acknowledged = 0;
  const load = keepDoing(campaign, 'recorder', async () => {
    const count = campaign.random.between(1, 8);
    const entries = Array.from({ length: count }, (_, index) => ({
      originSequence: acknowledged + index + 1,
      event: { action: 'query_execute' as const, data: { number: acknowledged + index + 1 } },
    }));
    try {
      const reply = (await askOnce(site.paths.procmondSocket, { request: 'audit.append', origin, entries }, 1_500)) as AppendReply;
      acknowledged = reply.lastOriginSequence;
      onHead(reply);
    } catch (cause) {
      if (!(cause instanceof SentinelError)) throw cause;
    }
    await sleep(25);
  });
  return { ...load, origin: `sentinelcli:${process.getuid?.() ?? 0}:${origin}`, acknowledged: () => acknowledged };
}

function keepDoing(campaign: Campaign, what: string, work: () => Promise<void>): Load {
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) await work();
  };
  const running = loop().catch((cause: unknown) => campaign.find('campaign-broke', `${what}: ${String(cause)}`));
  const stop = async (): Promise<void> => {
    stopped = true;
    await running;
  };
  campaign.cleanup.defer(what, stop);
  return { stop };
}
