/**
 * `sentinelcli query`: one SELECT of the operator over everything this user may read, run in the sandbox, and a record
 * in the ledger that it was asked.
 */
import { SentinelError, reasonOf } from '@sentineld/model/error';
import type { ResultRow, RuleOutcome, SqlValue, Validation } from '@sentineld/model/rule';
import { resolveAsOf, tellAsOf, type AsOf } from '../as-of.ts';
import { MOMENT_FORMS } from '../at-time.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { absentTableIn, readableDatabases, unavailable, type ReadableDatabases } from '../databases.ts';
import { duration, flag, text, texts, wholeNumber } from '../option.ts';
import { csvRecord } from '../output/csv.ts';
import { jsonArrayText, jsonText } from '../output/json.ts';
import { renderTable } from '../output/table.ts';
import { recordAudit, tellUnrecorded } from '../record-audit.ts';
import { outcomeError, refusedError, startSandbox } from '../sandbox.ts';

const DEFAULT_LIMIT = 1000;
const DEFAULT_TIMEOUT_MS = 30_000;
/** More than any statement may have; the judge of statements says what is too long. */
const MAX_STATEMENT_BYTES = 1_048_576;
/** What a shell reports of a program that SIGINT ended. */
const INTERRUPTED_STATUS = 130;
const FORMATS = ['json', 'jsonl', 'csv', 'table'] as const;
type Format = (typeof FORMATS)[number];
type Answer = { readonly columns: readonly string[]; readonly rows: readonly ResultRow[]; readonly truncated: boolean };

export const query: Command = defineCommand({
  name: 'query',
  summary: 'Run one SELECT over processes, scans, alerts, rules and the audit ledger',
  description:
    'Tables: processes (newest scan), process_snapshots, process_tree, scan_metadata, coverage; alerts, alert_deliveries, detection_rules; audit_ledger where this user may read the ledger. docs/schema.md has their columns. Nothing can be changed: anything but one SELECT is refused. Ctrl-C or --timeout ends it. The ledger keeps the hash of the statement, not its text.',
  positionals: [{ name: 'SQL', summary: "the statement, between quotes; '-' reads it from standard input", required: true }],
  options: {
    json: flag('A JSON array of objects'),
    jsonl: flag('One JSON object a line'),
    csv: flag('CSV with a header; guarded against formulas'),
    table: flag('A table (the default)'),
    at: text('TIME', `The newest scan is that of this time: ${MOMENT_FORMS}`),
    param: texts('NAME=VALUE', 'A value for :NAME in the statement; may be given again'),
    limit: wholeNumber({ least: 1, most: 100_000 }, DEFAULT_LIMIT, 'Rows at most'),
    timeout: duration({ leastMs: 100, mostMs: 3_600_000 }, 'End it after this time (default 30s)'),
  },
  examples: [
    {
      line: "sentinelcli query 'SELECT pid, name, user_name FROM processes ORDER BY memory_bytes DESC LIMIT 5'",
      what: 'the five largest processes',
    },
    {
      line: "sentinelcli query --json 'SELECT * FROM processes WHERE name = :name' --param name=sshd | jq .",
      what: 'a value passed safely, and JSON for another tool',
    },
    { line: "sentinelcli query --csv 'SELECT exe_path, exe_hash FROM processes' > programs.csv", what: 'for a spreadsheet' },
    { line: "sentinelcli query --at '10 min ago' 'SELECT pid, name, cmdline FROM processes'", what: 'what ran ten minutes ago' },
    { line: "sentinelcli query 'SELECT action, count(*) AS n FROM audit_ledger GROUP BY action'", what: 'what the ledger holds' },
  ],
  run: async (context, [given = ''], options) => {
    const format = chooseFormat(options);
    const ownParameters = Object.fromEntries(options.param.map(parseParameter));
    const sql = given === '-' ? await readStatement(process.stdin) : given;
    const databases = readableDatabases(context.paths());
    const asOf = options.at === null && !SCAN_PARAMETER.test(sql) ? null : resolveAsOf(context, 'at', options.at);
    const parameters = { ...(asOf === null ? {} : scanParameters(asOf, context.now())), ...ownParameters };
    const deadlineMs = options.timeout ?? DEFAULT_TIMEOUT_MS;
    const startedMs = performance.now();
    const work = { sql, parameters, maxRows: options.limit, deadlineMs, asOfScan: options.at === null ? null : (asOf?.scan.id ?? null) };
    const { validation, outcome } = await runInSandbox(databases, work);
    const ms = Math.round(performance.now() - startedMs);
    const recording = recordQuery(context, work, outcome, ms);
    if (outcome.outcome === 'interrupted') {
      await recording;
      return INTERRUPTED_STATUS;
    }
    try {
      const answer = answerOf(validation, outcome, sql, databases);
      tellAsOf(context, asOf);
      printAnswer(context, answer, format);
      printNotes(context, answer, options.limit, ms);
      tellUnrecorded(context, await recording);
    } finally {
      await recording;
    }
    return 0;
  },
});

/** A statement from a file or pipe, as far as one may be long. Throws 'usage.invalid' for what is no text. */
async function readStatement(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of input) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_STATEMENT_BYTES) break;
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    const why = cause instanceof TypeError ? 'it has bytes that are not UTF-8' : reasonOf(cause);
    const hint = 'give one SELECT as text: sentinelcli query - < FILE';
    throw new SentinelError('usage.invalid', { message: 'standard input is no statement', why, hint, cause });
  }
}

function chooseFormat(options: Readonly<Record<Format, boolean>>): Format {
  const [first, second] = FORMATS.filter((format) => options[format]);
  if (second !== undefined)
    throw new SentinelError('usage.invalid', {
      message: `--${first ?? ''} and --${second} exclude each other`,
      why: 'each is a form of the whole output',
      hint: 'give one of them',
    });
  return first ?? 'table';
}

/** A value that is a number is bound as a number, anything else as text. */
function parseParameter(assignment: string): readonly [string, SqlValue] {
  const match = /^[:@$]?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(assignment);
  if (match === null)
    throw new SentinelError('usage.invalid', {
      message: `--param ${assignment}: not taken`,
      why: 'it must be NAME=VALUE, with a name of letters, digits and _',
      hint: "write for instance --param pid=1, and ':pid' in the statement",
    });
  const [, name = '', value = ''] = match;
  const isNumber = /^-?(0|[1-9]\d{0,15})(\.\d{1,15})?$/.test(value) && Math.abs(Number(value)) <= Number.MAX_SAFE_INTEGER;
  return [name, isNumber ? Number(value) : value];
}

/** A look, not a parser: at worst a scan is looked up for nothing. */
const SCAN_PARAMETER = /[:@$](now|since|scan_id|since_seq)\b/;

/** What a rule would have been given at that moment; a value of the operator's own goes before. */
function scanParameters({ scan, asked }: AsOf, nowMs: number): Readonly<Record<string, SqlValue>> {
  const now = asked === null ? nowMs : asked.kind === 'time' ? asked.ms : scan.startMs;
  return { now, since: scan.beforeMs ?? 0, scan_id: scan.id, since_seq: 0 };
}

type Work = {
  readonly asOfScan: number | null;
  readonly sql: string;
  readonly parameters: Readonly<Record<string, SqlValue>>;
  readonly maxRows: number;
  readonly deadlineMs: number;
};
const NOT_JUDGED: Validation = { ok: true, columns: [], tables: [], scope: 'everything' as const };
type Outcome = RuleOutcome | { readonly outcome: 'interrupted' };

/** Judges and runs the statement. The sandbox ends with this function, also where a statement in it still runs. */
async function runInSandbox(
  databases: ReadableDatabases,
  work: Work,
): Promise<{ readonly validation: Validation; readonly outcome: Outcome }> {
  const asOf = work.asOfScan === null ? {} : { asOfScan: work.asOfScan };
  const client = startSandbox({ ...databases, ...asOf, deadlineMs: work.deadlineMs, anyParameters: true });
  const interruption = Promise.withResolvers<{ readonly outcome: 'interrupted' }>();
  const onInterrupt = (): void => interruption.resolve({ outcome: 'interrupted' });
  process.once('SIGINT', onInterrupt);
  try {
    // The names of the columns come with the judgement: an answer without rows has them too.
    const judging = client.validate(work.sql);
    // Whoever waits for the judgement is told; nobody may be waiting yet when it fails.
    judging.catch(() => undefined);
    const running = client.run({ sql: work.sql, parameters: work.parameters, maxRows: work.maxRows });
    const outcome = await Promise.race([running, interruption.promise]);
    if (outcome.outcome === 'interrupted') {
      return { validation: NOT_JUDGED, outcome };
    }
    const isRun = outcome.outcome === 'ok' || outcome.outcome === 'refused';
    // Where the databases cannot be read neither the judgement nor the answer is to be had, and the answer says more.
    const validation = isRun ? await judging : await judging.catch(() => NOT_JUDGED);
    return { validation, outcome };
  } finally {
    process.off('SIGINT', onInterrupt);
    await client.close();
  }
}

function answerOf(validation: Validation, outcome: RuleOutcome, sql: string, databases: ReadableDatabases): Answer {
  const refusal = !validation.ok ? validation.refusal : outcome.outcome === 'refused' ? outcome.refusal : null;
  if (refusal !== null) {
    const missing = refusal.code === 'table' ? absentTableIn(sql, databases.absent) : null;
    if (missing === null) throw refusedError(refusal, sql);
    const { code, message, why, hint } = unavailable(missing.database);
    throw new SentinelError(code, { message: `${missing.table} cannot be read: ${message}`, why, hint });
  }
  if (outcome.outcome === 'ok' && validation.ok) return { columns: validation.columns, rows: outcome.rows, truncated: outcome.truncated };
  if (outcome.outcome === 'ok' || outcome.outcome === 'refused')
    throw new SentinelError('internal.bug', { message: 'a statement was judged and run differently' });
  throw outcomeError(outcome);
}

function printAnswer({ terminal }: CommandContext, { columns, rows }: Answer, format: Format): void {
  const valuesOf = (row: ResultRow): SqlValue[] => columns.map((name) => row[name] ?? null);
  switch (format) {
    case 'json':
      return terminal.out(jsonArrayText(rows));
    case 'jsonl':
      return terminal.out(rows.map((row) => `${jsonText(row)}\n`).join(''));
    case 'csv':
      return terminal.out([columns, ...rows.map(valuesOf)].map(csvRecord).join(''));
    case 'table': {
      const { text, cut } = renderTable(columns, rows.map(valuesOf), { width: terminal.width, styles: terminal.styles, empty: 'NULL' });
      terminal.out(text);
      if (cut) terminal.err(terminal.errStyles.dim('… marks what was cut to fit; --json has it whole') + '\n');
      return undefined;
    }
  }
}

function printNotes({ terminal }: CommandContext, { rows, truncated }: Answer, limit: number, ms: number): void {
  if (truncated) {
    const why = rows.length < limit ? 'the result is too large for more' : `--limit N shows more, up to 100000`;
    terminal.err(terminal.errStyles.yellow(`only the first ${rows.length} rows are shown: ${why}`) + '\n');
  } else if (terminal.outIsTty) {
    terminal.err(terminal.errStyles.dim(`${rows.length} ${rows.length === 1 ? 'row' : 'rows'}, ${ms} ms`) + '\n');
  }
}

async function recordQuery(context: CommandContext, { sql, asOfScan }: Work, outcome: Outcome, ms: number): Promise<string | null> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sql));
  const rows = outcome.outcome === 'ok' ? outcome.rows.length : 0;
  const past = asOfScan === null ? {} : { as_of_scan: asOfScan };
  return recordAudit(context, {
    action: 'query_execute',
    data: { sql_sha256: Buffer.from(digest).toString('hex'), outcome: outcome.outcome, rows, ms, ...past },
  });
}
