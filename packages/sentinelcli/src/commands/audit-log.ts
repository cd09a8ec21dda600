/**
 * `sentinelcli audit log`: entries of the audit ledger, oldest first.
 */
import { AUDIT_ACTIONS, AUDIT_ACTORS } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { resolveTime } from '../as-of.ts';
import { MOMENT_FORMS } from '../at-time.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { requireLedgerDatabase } from '../databases.ts';
import { findEntries, openLogReader, type EntryFilter, type EntryLog, type LoggedEntry } from '../ledger/log-entries.ts';
import { choice, choices, flag, ordinal, text, wholeNumber } from '../option.ts';
import { cellWidth, fitCells, padCells } from '../output/cells.ts';
import { jsonText } from '../output/json.ts';
import type { Terminal } from '../output/terminal.ts';
import { isoTime, tableTime } from '../output/times.ts';

/** Of an entry that was read: longer ones are cut anyway. */
const MOST_DATA_CHARACTERS = 2000;
const ACTOR_CELLS = 13;

export const auditLog: Command = defineCommand({
  name: 'audit log',
  summary: 'Show entries of the audit ledger',
  description:
    'The newest entries that match, oldest of them first. Of what an entry says as much is shown as fits a line; --json has it whole. Nothing is verified: sentinelcli audit verify does that.',
  options: {
    actor: choice(AUDIT_ACTORS, 'Entries of this program alone'),
    action: choices('ACTION', AUDIT_ACTIONS, 'Entries of this action alone; may be given again'),
    since: text('TIME', `Entries from this time on: ${MOMENT_FORMS}`),
    until: text('TIME', 'Entries before this time; of a scan, with it'),
    from: ordinal('Entries from this number on'),
    to: ordinal('Entries up to this number'),
    limit: wholeNumber({ least: 1, most: 1_000_000 }, 50, 'Entries at most, the newest'),
    json: flag('A JSON array; docs/cli.md has the form of each entry'),
    jsonl: flag('One JSON object a line'),
  },
  examples: [
    { line: "sentinelcli audit log --since '1h ago'", what: 'what was recorded in the last hour' },
    { line: 'sentinelcli audit log --actor sentinelcli --limit 20', what: 'what operators did last' },
    { line: 'sentinelcli audit log --action events_lost --action budget_step --json | jq -r .[].time', what: 'when something was missed' },
  ],
  run: async (context, _words, options) => {
    const { actor, action: actions, from, to, limit, json, jsonl } = options;
    if (json && jsonl) throw usage('--json and --jsonl exclude each other', 'each is a form of the whole output', 'give one of them');
    if (from !== null && to !== null && from > to)
      throw usage(`--from ${from} --to ${to}: not taken`, 'the end is before the beginning', 'give them the other way round');
    const sinceMs = options.since === null ? null : resolveTime(context, 'since', options.since);
    const untilMs = options.until === null ? null : resolveTime(context, 'until', options.until, 1);
    if (sinceMs !== null && untilMs !== null && sinceMs >= untilMs)
      throw usage('--since and --until: not taken', 'the end is not after the beginning', 'give them the other way round');
    const filter = { actor, actions, sinceMs, untilMs, from, to, limit };
    const write = json ? jsonWriter(context.terminal) : jsonl ? lineWriter(context.terminal) : textWriter(context);
    await showEntries(context, filter, write);
    return 0;
  },
});

/** How entries are written: each page, and what stands after the last. */
type Writer = { readonly page: (entries: readonly LoggedEntry[], newest: number) => void; readonly end: () => void };

async function showEntries(context: CommandContext, filter: EntryFilter, write: Writer): Promise<void> {
  const { terminal } = context;
  const reader = openLogReader(requireLedgerDatabase(context.paths()));
  let log: EntryLog;
  try {
    log = findEntries(reader, filter);
    for (const page of log.pages()) {
      write.page(page, log.newest);
      if (!(await terminal.outTaken())) return;
    }
  } finally {
    reader.close();
  }
  write.end();
  if (log.isCut) terminal.err(`only the newest ${filter.limit} are shown; --limit N shows more\n`);
}

/** Two lines each: what is known of every entry, and below it what this one says. */
function textWriter({ terminal, now }: CommandContext): Writer {
  const { styles, width } = terminal;
  let isEmpty = true;
  const line = ({ sequence, timestampMs, actor, action, eventData, body }: LoggedEntry, newest: number): string => {
    const number = String(sequence).padStart(String(newest).length);
    const before = `${number}  ${tableTime(timestampMs, now())}  ${padCells(fitCells(displayHostText(actor), ACTOR_CELLS), ACTOR_CELLS)}  `;
    const head = before.replace(number, styles.bold(number)) + fitCells(displayHostText(action), width - cellWidth(before));
    const indent = ' '.repeat(number.length + 2);
    const data = fitCells(displayHostText((body ?? eventData).slice(0, MOST_DATA_CHARACTERS)), width - indent.length);
    return `${head}\n${indent}${styles.dim(data)}\n`;
  };
  return {
    page: (entries, newest) => {
      isEmpty = false;
      terminal.out(entries.map((entry) => line(entry, newest)).join(''));
    },
    end: () => {
      if (isEmpty) terminal.out('no entries\n');
    },
  };
}

function lineWriter({ out }: Pick<Terminal, 'out'>): Writer {
  return { page: (entries) => out(entries.map((entry) => `${jsonText(entryJson(entry))}\n`).join('')), end: () => undefined };
}

/** As jsonArrayText has it, without all of it at once. */
function jsonWriter({ out }: Pick<Terminal, 'out'>): Writer {
  let isFirst = true;
  const element = (entry: LoggedEntry): string => {
    const before = isFirst ? '[\n' : ',\n';
    isFirst = false;
    return before + jsonText(entryJson(entry));
  };
  return { page: (entries) => out(entries.map(element).join('')), end: () => out(isFirst ? '[]\n' : '\n]\n') };
}

function entryJson(entry: LoggedEntry): Readonly<Record<string, unknown>> {
  const { sequence, timestampMs, actor, action, formatVersion, epoch, keyId, payloadHash, prevHash, entryHash, signature } = entry;
  return {
    sequence,
    time: isoTime(timestampMs),
    timestamp: timestampMs,
    actor,
    action,
    data: valueOf(entry.eventData),
    ...(entry.body === null ? {} : { body: valueOf(entry.body) }),
    format_version: formatVersion,
    epoch,
    key_id: keyId,
    payload_hash: payloadHash,
    prev_hash: prevHash,
    entry_hash: entryHash,
    signature,
  };
}

/** What a JSON text says; the text itself where somebody made it something else. */
function valueOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
