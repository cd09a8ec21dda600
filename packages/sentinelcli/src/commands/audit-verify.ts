/**
 * `sentinelcli audit verify`: recomputes every hash of the ledger and holds its end against what others know of it.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { LEDGER_WITNESS_SQL } from '@sentineld/store/agent/readable';
import { openLedger, readEntries } from '@sentineld/store/ledger/read';
import { verifyLedger, type LedgerVerification, type LedgerWitness } from '@sentineld/ledger/verify';
import { withAgentReader } from '../alert-store.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { askDaemon } from '../daemons.ts';
import { databaseFiles, unavailable } from '../databases.ts';
import { ledgerHeadOf } from '../health-report.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { startProgress } from '../output/progress.ts';
import { indentText } from '../output/wrap.ts';
import { recordAudit, tellUnrecorded } from '../record-audit.ts';

export const auditVerify: Command = defineCommand({
  name: 'audit verify',
  summary: 'Verify the audit ledger, entry by entry',
  description:
    'Recomputes every hash from the first entry to the last, then compares the end with what a running procmond and the agent know of it. Says how far the ledger holds, what that shows and what it cannot show. The exit status is 1 where it does not hold; the first entry that fails is named. The verification itself is recorded in the ledger.',
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli audit verify', what: 'does the ledger hold, and from what do we know?' },
    { line: 'sentinelcli audit verify --json | jq .failure', what: 'null, or the entry that fails and why' },
  ],
  run: async (context, _words, { json }) => {
    const paths = context.paths();
    // Before the ledger is read: what is appended meanwhile is then no contradiction.
    const witnesses = await askWitnesses(paths);
    const startedMs = performance.now();
    const result = await verifyFile(context, witnesses);
    const ms = Math.round(performance.now() - startedMs);
    const { terminal } = context;
    terminal.out(json ? `${jsonText(verificationJson(result, witnesses, ms), 2)}\n` : verificationText(context, result, witnesses, ms));
    const failure = result.failure === undefined ? null : { sequence: result.failure.sequence, what: result.failure.what };
    const data = { ok: result.ok, entries: result.entries, head: result.head, failure, witnesses: witnesses.length, ms };
    tellUnrecorded(context, await recordAudit(context, { action: 'audit_verify', data }));
    return result.ok ? 0 : 1;
  },
});

async function verifyFile(context: CommandContext, witnesses: readonly LedgerWitness[]): Promise<LedgerVerification> {
  const paths = context.paths();
  const file = databaseFiles(paths).find(({ name }) => name === 'ledger');
  if (file !== undefined && file.state !== 'readable') throw unavailable(file);
  const db = openLedger(paths.ledgerDb);
  try {
    const progress = startProgress(context.terminal, 'verifying', newestSequence(db));
    try {
      return await verifyLedger(counted(readEntries(db), progress.step), { witnesses });
    } finally {
      progress.end();
    }
  } finally {
    db.close();
  }
}

/** For the progress alone. What is wrong with a file is told by whoever reads its entries. */
function newestSequence(db: ReturnType<typeof openLedger>): number {
  try {
    const newest = db.prepare('SELECT max(sequence) AS newest FROM audit_ledger').get()?.['newest'];
    return typeof newest === 'number' ? newest : 0;
  } catch {
    return 0;
  }
}

function* counted(entries: Iterable<AuditEntry>, step: (done: number) => void): Generator<AuditEntry, void, undefined> {
  let done = 0;
  for (const entry of entries) {
    yield entry;
    step(++done);
  }
}

/** Heads of the ledger that others keep. None of them has to be there. */
async function askWitnesses(paths: StatePaths): Promise<readonly LedgerWitness[]> {
  const head = ledgerHeadOf(await askDaemon('procmond', paths, { request: 'health' }));
  const running: LedgerWitness[] = head === null ? [] : [{ name: 'the running procmond', head }];
  return [...running, ...agentWitnesses(paths)];
}

function agentWitnesses(paths: StatePaths): readonly LedgerWitness[] {
  try {
    const rows = withAgentReader(paths, (reader) => reader.internal(LEDGER_WITNESS_SQL));
    return rows.flatMap(({ sequence, entry_hash: entryHash }) =>
      typeof sequence === 'number' && typeof entryHash === 'string' ? [{ name: "the agent's file", head: { sequence, entryHash } }] : [],
    );
  } catch (cause) {
    if (cause instanceof SentinelError) return [];
    throw cause;
  }
}

/** One line per witness that there is, however many heads it knows. */
function witnessLines(witnesses: readonly LedgerWitness[]): string[] {
  return [...Map.groupBy(witnesses, ({ name }) => name)].map(([name, heads]) => {
    const newest = Math.max(...heads.map(({ head }) => head.sequence));
    return `${name} knows ${heads.length === 1 ? 'one entry' : `${heads.length} entries`}, the newest is ${newest}`;
  });
}

function verificationText(
  { terminal }: CommandContext,
  result: LedgerVerification,
  witnesses: readonly LedgerWitness[],
  ms: number,
): string {
  const { styles, width } = terminal;
  const item = (text: string): string => indentText(text, width, '    ', '  - ');
  const section = (heading: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `${styles.bold(heading)}\n${lines.map(item).join('')}`;
  const verdict =
    result.failure === undefined
      ? `${styles.green('ok')}: ${result.entries} entries hold (${ms} ms)\n`
      : `${styles.red('FAILED')} at entry ${result.failure.sequence} (${result.failure.what})\n${indentText(result.failure.why, width, '  ')}${result.entries} entries before it hold\n`;
  const head =
    result.head === null
      ? ''
      : `ledger ${result.ledgerId ?? 'without an id'}, newest verified entry ${result.head.sequence}\n  ${result.head.entryHash}\n`;
  return [
    verdict,
    indentText(
      head === ''
        ? []
        : head
            .trimEnd()
            .split('\n')
            .map((line) => line.trim()),
      width,
      '  ',
    ),
    section(
      'Witnesses',
      witnesses.length === 0 ? ['none: procmond is not running, and the agent keeps no entry of this ledger'] : witnessLines(witnesses),
    ),
    section('This shows', result.shows),
    section('It cannot show', result.cannotShow),
    section('Notes', result.notes),
  ].join('');
}

function verificationJson(result: LedgerVerification, witnesses: readonly LedgerWitness[], ms: number): unknown {
  const { ok, entries, head, ledgerId, failure, notes, shows, cannotShow } = result;
  const headJson = head === null ? null : { sequence: head.sequence, entry_hash: head.entryHash };
  const witnessesJson = witnesses.map(({ name, head }) => ({ name, sequence: head.sequence, entry_hash: head.entryHash }));
  return {
    ok,
    entries,
    head: headJson,
    ledger_id: ledgerId,
    failure: failure ?? null,
    witnesses: witnessesJson,
    notes,
    shows,
    cannot_show: cannotShow,
    ms,
  };
}
