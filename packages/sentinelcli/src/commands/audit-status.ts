/**
 * `sentinelcli audit status`: what of the ledger is signed, what of it is known elsewhere, and what of it could be rewritten yet.
 */
import { defineCommand, type Command } from '../command.ts';
import { withLedger } from '../ledger/ledger-view.ts';
import { readOutside } from '../ledger/outside.ts';
import { statusOf, type LedgerStatus } from '../ledger/status-report.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { ledgerStatusText } from '../output/ledger-status-text.ts';
import { checkpointJson } from '../output/note-text.ts';
import { isoTime } from '../output/times.ts';

export const auditStatus: Command = defineCommand({
  name: 'audit status',
  summary: 'Say what of the audit ledger is signed, and what of it is known elsewhere',
  description:
    'Shows the newest entry, the newest checkpoint and its age, the key that signs, archives, and the newest checkpoint that each mirror and the agent have. What was recorded after the newest one outside could still be rewritten by whoever has the key and the file. The exit status is 1 where a checkpoint outside contradicts the ledger and no restore explains it. Hashes are not recomputed: sentinelcli audit verify does that.',
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli audit status', what: 'at a glance' },
    { line: 'sentinelcli audit status --json | jq .unprotected.entries', what: 'entries that nobody outside knows of' },
  ],
  run: async (context, _words, { json }) => {
    const paths = context.paths();
    const outside = readOutside(paths, context.config().config.ledger.mirror);
    const status = await withLedger(paths, (ledger) => statusOf(ledger, paths, outside));
    const now = context.now();
    context.terminal.out(json ? `${jsonText(statusJson(status, now), 2)}\n` : ledgerStatusText(status, context.terminal, now));
    return status.contradictions.some(({ isExcused }) => !isExcused) ? 1 : 0;
  },
});

function statusJson(status: LedgerStatus, now: number): unknown {
  const { newest, checkpoint, key, unprotected } = status;
  const entryHash = newest === null ? null : Buffer.from(newest.entryHash).toString('hex');
  return {
    ledger_id: status.ledgerId,
    entries: status.entries,
    head: newest === null ? null : { sequence: newest.sequence, entry_hash: entryHash, timestamp: newest.timestampMs },
    checkpoint: checkpoint === null ? null : { ...checkpointJson(checkpoint), age_ms: now - checkpoint.timestampMs },
    uncovered_entries: status.uncovered,
    key: key === null ? null : keyJson(key),
    sealed_through: status.sealedThrough,
    archives: status.archives.map((archive) => ({
      file: archive.file,
      through_sequence: archive.throughSequence,
      sha256: archive.sha256,
      time: archive.timestampMs === null ? null : isoTime(archive.timestampMs),
      bytes: archive.bytes,
    })),
    outside: status.outside.map(({ source, newest: seen }) => ({
      kind: source.kind,
      name: source.name,
      failure: source.failure,
      newest: seen === null ? null : { ...checkpointJson(seen.checkpoint), seen: seen.seenMs },
      passed_over: source.passedOver,
    })),
    unprotected: { entries: unprotected.entries, since: unprotected.sinceMs },
    contradictions: status.contradictions.map(({ source, seen, why, isSigned, isExcused }) => ({
      ...checkpointJson(seen.checkpoint),
      source: source.name,
      why,
      signed: isSigned,
      excused: isExcused,
    })),
  };
}

function keyJson({ period, entry }: NonNullable<LedgerStatus['key']>): unknown {
  const since = entry === null ? null : isoTime(entry.timestampMs);
  return { id: period.key.id, key: period.key.text, first_epoch: period.firstEpoch, announced_by: entry?.sequence ?? null, since };
}
