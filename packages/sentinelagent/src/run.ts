/**
 * `sentinelagent run`: from configuration to a detecting daemon. The order is what makes it safe: privileges go first,
 * the spawner of executors is started while programs still can be, then this process is closed off, then it listens.
 */
import { existsSync, statfsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '@sentineld/model/audit';
import { messageOf } from '@sentineld/model/error';
import type { Request } from '@sentineld/model/request';
import type { LoadOptions as RuleFiles } from '@sentineld/detection/rules/load';
import { startExecutor, type ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { Config } from '@sentineld/runtime/config/config';
import { loadConfig, type LoadedConfig, type LoadOptions } from '@sentineld/runtime/config/load';
import { statePaths, type StatePaths } from '@sentineld/runtime/config/state-dir';
import { peerCredentialsReader } from '@sentineld/runtime/ipc/peer-credentials';
import { createRefusalLog, type RefusalLog } from '@sentineld/runtime/ipc/refusal-log';
import { serveSocket, type SocketServer } from '@sentineld/runtime/ipc/server';
import { confine, notifyServiceManager } from '@sentineld/runtime/lifecycle/confine';
import { bootId } from '@sentineld/runtime/lifecycle/process-identity';
import type { PrivilegeProof } from '@sentineld/runtime/lifecycle/privileges';
import { listenForStop } from '@sentineld/runtime/lifecycle/shutdown';
import { takeStateLock, type StateLock } from '@sentineld/runtime/lifecycle/state-lock';
import { createLogger, type Logger } from '@sentineld/runtime/log/logger';
import { VERSION } from '@sentineld/runtime/version';
import { openAgentWriter, type AgentWriter } from '@sentineld/store/agent/writer';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createAlertDecisions } from './alert-decisions.ts';
import { answer, type AgentAnswers } from './answers.ts';
import { createCheckpointRelay } from './checkpoint-relay.ts';
import { createDeliverer, type Deliverer } from './deliver/deliver.ts';
import type { OpenSink } from './deliver/sink.ts';
import { SINKS } from './deliver/sinks/registry.ts';
import { startProcmondLink, type ProcmondLink } from './procmond-link.ts';
import { createDetection, type Detection } from './detection.ts';
import { reloadOnSignal } from './reload-on-signal.ts';
import { createRuleBook, fileRejection, overridesWithoutRule, rulesOf } from './rule-book.ts';
import { createRuleKeeper } from './rule-keeper.ts';
import { settlePrivileges } from './settle-privileges.ts';
import { userName } from './user-name.ts';

export type RunOptions = LoadOptions & {
  /** Stop when the process that started this one is gone. */
  readonly supervised: boolean;
  readonly programArguments: readonly string[];
};

/** Runs until it is told to stop and ends the process. Throws before anything is opened where the environment is wrong. */
export async function run(options: RunOptions): Promise<void> {
  const loaded = loadConfig(options);
  const { config } = loaded;
  const paths = statePaths(config.state_dir);
  const proof = settlePrivileges(loaded, paths, options.programArguments);
  const log = createLogger('sentinelagent', config.log.level);
  const lock = takeStateLock(join(paths.agentDir, 'sentinelagent.lock'), 'sentinelagent');
  const executor = startConfinedExecutor(config, paths, log);
  const unconfined = confine({ socketFamilies: 'unix_and_ip', exec: false, writeFiles: true, signalOthers: false });
  const store = openAgentWriter({ path: paths.agentDb, clock: Date.now });
  const load = ruleFiles(config);
  const book = createRuleBook(load, store.ruleOverrides());
  // First, because it reads most of what there is: a damaged file is left as it was found.
  store.saveRules(rulesOf(book));
  book.restore(store.ruleProgress(), store.ruleCosts());
  for (const event of startEvidence(loaded, proof, unconfined)) store.queueAudit(event);
  for (const problem of book.problems) store.queueAudit(fileRejection(problem));
  for (const { ruleId } of overridesWithoutRule(book)) log.warn({ ruleId }, 'rules.override_without_rule');
  const sinks = new Map(
    SINKS.filter((sink) => sink.isEnabled(config)).map((sink): [string, OpenSink] => [sink.name, sink.open(config, paths)]),
  );
  const deliverer = createDeliverer({ store, sinks, log, nowMs });
  const detection = createDetection({
    config,
    store,
    book,
    executor: executor.client,
    log,
    deliverer,
    sinkNames: [...sinks.keys()],
    nowMs,
  });
  const relay = createCheckpointRelay({ store, sinks, hostName: hostname(), clock: Date.now, log });
  const link = startProcmondLink({
    path: paths.procmondAgentSocket,
    store,
    log,
    onCheckpoint: relay.onCheckpoint,
    onConnected: detection.onConnected,
    onScan: detection.onScan,
    onEvents: detection.onEvents,
  });
  detection.attach(link);
  const onRecorded = (): void => void link.forwardAudit();
  const keeper = createRuleKeeper({
    load,
    book,
    store,
    executor: executor.client,
    detection,
    log,
    userName,
    clock: Date.now,
    onRecorded,
  });
  const decisions = createAlertDecisions({ book, store, executor: executor.client, detection, log, userName, onRecorded });
  await decisions.expire();
  const answers: AgentAnswers = {
    version: VERSION,
    startedMs: Date.now(),
    book,
    store,
    link,
    keeper,
    decisions,
    deliverer,
    detection: detection.state,
    freeBytes: () => freeBytesAt(paths.agentDir),
    confinement: executor.confinement,
    unconfined,
  };
  const refusals = createRefusalLog((data) => {
    log.warn(data, 'request.refused');
    queueOrLog(store, log, { action: 'request_refused', data });
  });
  const server = await openSocket(paths, answers, refusals);
  const daemon: Daemon = { log, lock, store, link, server, refusals, detection, deliverer, executor: executor.client, sinks };
  void executor.client.closed.then((reason) => finish(daemon, `executor: ${reason}`, 4));
  listenForStop({
    watchParent: options.supervised,
    onHangup: reloadOnSignal(keeper, log),
    onStop: (reason) => void finish(daemon, reason, 0),
  });
  setInterval(() => retryStore(store), STORE_RETRY_MS).unref();
  setInterval(() => void decisions.expire(), EXPIRY_MS).unref();
  await deliverer.drain().catch((cause: unknown) => log.error({ error: messageOf(cause) }, 'delivery.failed'));
  notifyServiceManager('READY=1');
}

/** What was started, with which configuration, and what it may do. */
function startEvidence(loaded: LoadedConfig, proof: PrivilegeProof, unconfined: string | null): readonly AuditEvent[] {
  return [
    {
      action: 'start',
      data: { version: VERSION, pid: process.pid, boot_id: bootId(), config_hash: loaded.hash, config_files: loaded.files },
    },
    { action: 'privilege_drop', data: { ...proof, seccomp: unconfined === null, unconfined } },
  ];
}

/** Where the rules come from, and what the configuration changes about them. */
function ruleFiles({ detection }: Config): RuleFiles {
  return {
    builtinDirectory: builtinRules(),
    directories: detection.rules_dirs,
    overrides: Object.fromEntries(detection.disabled_rules.map((id) => [id, { enabled: false }])),
  };
}

/** How often it is looked whether the time of a suppression is over; it hides nothing from then on, noticed or not. */
const EXPIRY_MS = 10_000;

/** How often it is looked whether a store that failed can be written again. */
const STORE_RETRY_MS = 5_000;

function nowMs(): number {
  return performance.now();
}

/** Without scans nothing is written, and nobody would notice that there is space again. */
function retryStore(store: Pick<AgentWriter, 'writeFailure' | 'tryWrite'>): void {
  if (store.writeFailure() !== null) store.tryWrite();
}

function freeBytesAt(directory: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    // Only a hint: a write that fails says so by itself.
    return null;
  }
}

type RunningExecutor = { readonly client: ExecutorClient; readonly confinement: () => string };

function startConfinedExecutor(config: Config, paths: StatePaths, log: Logger): RunningExecutor {
  let confinement = 'starting';
  const client = startExecutor({
    programs: { spawner: besideThisProgram('spawner.js'), executor: besideThisProgram('executor.js') },
    databases: [{ schema: 'main', path: paths.eventsDb }],
    schema: EVENTS_SCHEMA,
    readsChanges: true,
    limits: { deadlineMs: config.detection.deadline, memoryBytes: config.detection.memory, maxRows: config.detection.row_limit },
    onEvent: (event) => log.info({ ...event }, 'executor.changed'),
  });
  client.ready.then(
    (ready) => {
      confinement = `${ready.confined ? 'confined' : 'NOT confined'}: ${ready.detail.join('; ')}`;
      log.info({ executor: ready }, 'executor.ready');
    },
    (cause: unknown) => {
      confinement = messageOf(cause);
      log.error({ error: messageOf(cause) }, 'executor.failed');
    },
  );
  return { client, confinement: () => confinement };
}

async function openSocket(paths: StatePaths, answers: AgentAnswers, refusals: RefusalLog): Promise<SocketServer> {
  return serveSocket({
    path: paths.agentSocket,
    role: 'sentinelcli',
    permitted: new Set<Request['request']>([
      'health',
      'rules',
      'rules.reload',
      'rules.override',
      'alerts.ack',
      'alerts.suppress',
      'alerts.unsuppress',
      'audit.queue',
    ]),
    credentialsOf: peerCredentialsReader(),
    admits: () => true,
    answer: async (request, peer) => answer(answers, request, peer),
    onRefused: refusals.note,
  });
}

type Daemon = {
  readonly log: Logger;
  readonly lock: StateLock;
  readonly store: AgentWriter;
  readonly link: ProcmondLink;
  readonly server: SocketServer;
  readonly refusals: RefusalLog;
  readonly detection: Pick<Detection, 'stop'>;
  readonly deliverer: Pick<Deliverer, 'stop'>;
  readonly executor: ExecutorClient;
  readonly sinks: ReadonlyMap<string, OpenSink>;
};

const STOP_PATIENCE_MS = 2000;
let finishing = false;

async function finish(daemon: Daemon, reason: string, status: number): Promise<void> {
  if (finishing) return;
  finishing = true;
  await daemon.server.close();
  daemon.refusals.flush();
  // A rule that runs is not waited for longer than this; its cycle is run again after the next start.
  await Promise.race([daemon.detection.stop(), new Promise((resolve) => setTimeout(resolve, STOP_PATIENCE_MS))]);
  queueOrLog(daemon.store, daemon.log, { action: 'stop', data: { reason } });
  await Promise.race([daemon.link.forwardAudit(), new Promise((resolve) => setTimeout(resolve, STOP_PATIENCE_MS / 2))]);
  daemon.link.stop();
  await Promise.race([daemon.executor.close(), new Promise((resolve) => setTimeout(resolve, STOP_PATIENCE_MS / 2))]);
  daemon.deliverer.stop();
  for (const sink of daemon.sinks.values()) sink.close();
  try {
    daemon.store.stop();
  } catch (cause) {
    // On a full disk nothing can be moved out of the log, and nothing is lost there.
    daemon.log.error({ error: messageOf(cause) }, 'agent.checkpoint_failed');
  }
  daemon.lock.release();
  daemon.log.info({ reason }, 'sentinelagent.stopped');
  // Not by running out of work: that would close the database, and readers could not open it any more.
  process.exit(status);
}

/** Where nobody waits for an error: an entry that cannot be kept is at least in the log. */
function queueOrLog(store: Pick<AgentWriter, 'queueAudit'>, log: Logger, event: AuditEvent): void {
  try {
    store.queueAudit(event);
  } catch (cause) {
    log.error({ error: messageOf(cause), action: event.action }, 'audit.queue_failed');
  }
}

/** The bundle has every program in one folder. */
function besideThisProgram(name: string): string {
  return join(import.meta.dirname, name);
}

function builtinRules(): string {
  const beside = besideThisProgram('rules');
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', '..', 'detection', 'rules');
}
