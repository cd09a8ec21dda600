/**
 * `procmond run`: from configuration to a collecting daemon, and back to a store that readers can go on reading.
 */
import { useNativeHashing } from '@sentineld/ledger/native-hashing';
import { SentinelError, errnoOf, messageOf } from '@sentineld/model/error';
import type { EventsStored } from '@sentineld/model/reply';
import { createRedactor } from '@sentineld/model/redact';
import type { Request } from '@sentineld/model/request';
import { loadConfig, type LoadedConfig, type LoadOptions } from '@sentineld/runtime/config/load';
import { reloadConfig } from '@sentineld/runtime/config/reload';
import { statePaths, type StatePaths } from '@sentineld/runtime/config/state-dir';
import { peerCredentialsReader } from '@sentineld/runtime/ipc/peer-credentials';
import { createRefusalLog, type RefusalLog, type RefusalRecord } from '@sentineld/runtime/ipc/refusal-log';
import { serveSocket, type Peer, type SocketServer } from '@sentineld/runtime/ipc/server';
import { bootId } from '@sentineld/runtime/lifecycle/process-identity';
import { keepSmall } from '@sentineld/runtime/lifecycle/node-flags';
import { listenForStop } from '@sentineld/runtime/lifecycle/shutdown';
import { takeStateLock, type StateLock } from '@sentineld/runtime/lifecycle/state-lock';
import { daemonAccounts } from '@sentineld/runtime/lifecycle/accounts';
import { createLogger, type AdjustableLogger, type Logger } from '@sentineld/runtime/log/logger';
import { VERSION } from '@sentineld/runtime/version';
import { openEventsWriter, type EventsWriter } from '@sentineld/store/events/writer';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';
import { answer, type AnswerContext } from './answers.ts';
import { readHostFacts } from './host-facts.ts';
import { keepLedger, type LedgerKeeper } from './ledger-keeper.ts';
import { settlePrivileges, type SettledPrivileges } from './settle-privileges.ts';
import { createProcessSource } from './sources/platform-source.ts';
import { createWatch, LIVE_SETTINGS, type Watch } from './watch.ts';

export type RunOptions = LoadOptions & {
  readonly once: boolean;
  /** Stop when the process that started this one is gone. */
  readonly supervised: boolean;
  /** Arguments of the command line, to be given again after root is given up. */
  readonly programArguments: readonly string[];
};

const FALLBACK_OPEN_FILES = 1024;

/** Runs until it is told to stop (or for one scan) and ends the process. Throws before anything is opened where the environment is wrong. */
export async function run(options: RunOptions): Promise<void> {
  const loaded = loadConfig(options);
  const { config } = loaded;
  const paths = statePaths(config.state_dir);
  const privileges = settlePrivileges({ loaded, paths, programArguments: options.programArguments, wantsEvents: !options.once });
  useNativeHashing(privileges.native === null ? { available: false } : { available: true, native: privileges.native });
  const log = createLogger('procmond', config.log.level);
  const lock = takeStateLock(`${paths.eventsDir}/procmond.lock`, 'procmond');
  const settings: Settings = { loaded };
  const servers: SocketServer[] = [];
  const publish = (event: unknown): void => {
    for (const server of servers) server.publish(event);
  };
  const stores = openStores({ settings, paths, privileges, log, publish });
  const redact = createRedactor(config.collection.redact);
  const source = await createProcessSource(process.platform, {
    openFileLimit: openFileLimit(privileges),
    argvLimitBytes: config.collection.argv_limit,
    redact,
    native: privileges.native,
  });
  const watch = createWatch({
    events: stores.events,
    ledger: stores.keeper.ledger,
    loaded,
    current: () => settings.loaded.config,
    paths,
    privileges,
    log,
    source,
    redact,
    onScan: publish,
    onEventsStored: () => publish({ event: 'events.stored' } satisfies EventsStored),
  });
  const refusals = createRefusalLog((data) => recordRefusal(stores.keeper.ledger, log, data));
  const daemon: Daemon = { log, lock, watch, servers, refusals, ...stores };
  if (options.once) {
    await source.prepare?.();
    return finish(daemon, 'once', await scanOnce(watch));
  }
  const ownUid = process.getuid?.() ?? -1;
  const context: AnswerContext = { ...stores, version: VERSION, watch, privileges, ownUid, onRefused: refusals.note };
  servers.push(...(await openSockets(loaded, paths, { ...context, keeper: stores.keeper })));
  listenForStop({
    watchParent: options.supervised,
    onHangup: () => reload(options, settings, stores.keeper.ledger, log),
    onStop: (reason) => void finish(daemon, reason, 0),
  });
  watch.start();
  stores.keeper.start();
  keepSmall();
  privileges.native?.notify('READY=1');
}

/** What holds now. */
type Settings = { loaded: LoadedConfig };

/** Reads the configuration again; whatever is wrong with it leaves everything as it is. */
function reload(options: RunOptions, settings: Settings, ledger: LedgerWriter, log: AdjustableLogger): void {
  const record = (data: Readonly<Record<string, unknown>>): void => {
    log.warn(data, 'config.reload');
    try {
      ledger.append('procmond', [{ action: 'config_load', data }]);
    } catch (cause) {
      log.error({ error: messageOf(cause) }, 'ledger.append_failed');
    }
  };
  try {
    const { loaded, applied, needsRestart } = reloadConfig(options, settings.loaded, LIVE_SETTINGS);
    settings.loaded = loaded;
    log.level = loaded.config.log.level;
    record({ config_hash: loaded.hash, config_files: loaded.files, applied, needs_restart: needsRestart });
  } catch (cause) {
    const why = cause instanceof SentinelError ? cause.why : '';
    record({ error: messageOf(cause), why, applied: [], needs_restart: [] });
  }
}

/** Prints one scan; gives the exit status. */
async function scanOnce({ collector }: Watch): Promise<number> {
  const scan = collector.scanOnce();
  const isWritten = await new Promise<boolean>((resolve) => {
    process.stdout.write(`${JSON.stringify(scan)}\n`, (cause) =>
      resolve(cause === null || cause === undefined || errnoOf(cause) === 'EPIPE'),
    );
  });
  return scan === null || !isWritten ? 4 : 0;
}

type Stores = { readonly events: EventsWriter; readonly keeper: LedgerKeeper; readonly startedMs: number };
type Daemon = Stores & {
  readonly log: Logger;
  readonly lock: StateLock;
  readonly watch: Watch;
  readonly servers: readonly SocketServer[];
  readonly refusals: RefusalLog;
};

type StoreOptions = {
  readonly settings: Settings;
  readonly paths: StatePaths;
  readonly privileges: SettledPrivileges;
  readonly log: Logger;
  readonly publish: (event: unknown) => void;
};

function openStores({ settings, paths, privileges, log, publish }: StoreOptions): Stores {
  const { loaded } = settings;
  const startedMs = Date.now();
  const facts = readHostFacts();
  const events = openEventsWriter(paths.eventsDb, {
    startTimeMs: startedMs,
    bootId: bootId(),
    hostname: facts.hostname,
    osName: facts.osName,
    osVersion: facts.osVersion,
    collectorVersion: VERSION,
    configHash: loaded.hash,
  });
  const keeper = keepLedger({
    config: loaded.config.ledger,
    intervalMs: () => settings.loaded.config.ledger.checkpoint_interval,
    paths,
    hostId: events.hostId,
    log,
    publish,
  });
  keeper.ledger.append('procmond', [
    { action: 'start', data: startEvidence(loaded, keeper.ledger) },
    {
      action: 'privilege_drop',
      data: { ...privileges.proof, sees_other_users: privileges.seesOtherUsers, unconfined: privileges.unconfined },
    },
  ]);
  return { events, keeper, startedMs };
}

/** What is run, how, and what was found of the run before. */
function startEvidence({ hash, files }: LoadedConfig, ledger: LedgerWriter): Readonly<Record<string, unknown>> {
  const newest = ledger.newestCheckpoint();
  return {
    version: VERSION,
    pid: process.pid,
    boot_id: bootId(),
    config_hash: hash,
    config_files: files,
    key_id: ledger.key().id,
    previous_end: ledger.previousEnd(),
    previous_checkpoint: newest === null ? null : { epoch: newest.epoch, tree_size: newest.treeSize, timestamp: newest.timestampMs },
  };
}

/** What both sockets answer. */
const FOR_ALL: readonly Request['request'][] = ['health', 'subscribe', 'audit.append'];
/** What the operators' does too; who may have it done, `answer` decides. */
const FOR_OPERATORS: readonly Request['request'][] = ['ledger.checkpoint', 'ledger.rotate_key', 'ledger.archive', 'ledger.restore'];

/** The operators' socket and the agent's; what is not permitted is recorded. */
async function openSockets(
  loaded: LoadedConfig,
  paths: StatePaths,
  context: AnswerContext & { readonly keeper: LedgerKeeper },
): Promise<readonly SocketServer[]> {
  const { agentUid } = daemonAccounts(loaded.config);
  const shared = {
    credentialsOf: peerCredentialsReader(),
    answer: async (request: Request, peer: Peer) => answer(context, request, peer),
    greeting: () => {
      const checkpoint = context.keeper.ledger.newestCheckpoint();
      return checkpoint === null ? [] : [{ event: 'ledger.checkpoint', checkpoint }];
    },
    onRefused: context.onRefused,
  };
  return [
    await serveSocket({
      ...shared,
      path: paths.procmondSocket,
      role: 'sentinelcli',
      permitted: new Set([...FOR_ALL, ...FOR_OPERATORS]),
      admits: () => true,
    }),
    await serveSocket({
      ...shared,
      path: paths.procmondAgentSocket,
      role: 'sentinelagent',
      permitted: new Set(FOR_ALL),
      // Where all run as one user the socket's role is all there is; otherwise it is the agent's alone.
      admits: ({ uid }) => uid === agentUid || uid === context.ownUid,
    }),
  ];
}

function recordRefusal(ledger: LedgerWriter, log: Logger, data: RefusalRecord): void {
  log.warn(data, 'request.refused');
  try {
    ledger.append('procmond', [{ action: 'request_refused', data }]);
  } catch (cause) {
    log.error({ error: messageOf(cause) }, 'ledger.append_failed');
  }
}

async function finish(daemon: Daemon, reason: string, status: number): Promise<void> {
  daemon.watch.stop();
  for (const server of daemon.servers) await server.close();
  daemon.refusals.flush();
  // Each whatever becomes of the others: on a full disk nothing can be moved out of the WAL, and nothing is lost there.
  const attempt = (failure: string, work: () => void): void => {
    try {
      work();
    } catch (cause) {
      daemon.log.error({ error: messageOf(cause) }, failure);
    }
  };
  attempt('ledger.append_failed', () => {
    daemon.keeper.ledger.append('procmond', [{ action: 'stop', data: { reason, scans: daemon.watch.collector.state.scans } }]);
  });
  attempt('ledger.epoch_not_closed', daemon.keeper.stop);
  attempt('events.checkpoint_failed', () => daemon.events.stop());
  attempt('ledger.checkpoint_failed', () => void daemon.keeper.ledger.stop());
  daemon.lock.release();
  daemon.log.info({ reason }, 'procmond.stopped');
  // Not by running out of work: that would close the databases, and readers could not open them any more.
  process.exit(status);
}

function openFileLimit(privileges: SettledPrivileges): number {
  if (privileges.native === null) return FALLBACK_OPEN_FILES;
  const limit = privileges.native.getResourceLimit('NOFILE').soft;
  if (typeof limit !== 'number') throw new SentinelError('internal.bug', { message: 'the limit of open files is not a number' });
  return limit;
}
