/**
 * `sentinelcli audit archive`: has procmond move old entries of the ledger into a file.
 */
import { ArchiveReplySchema } from '@sentineld/model/reply';
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import type { ArchiveReply } from '@sentineld/model/request';
import { resolveTime } from '../as-of.ts';
import { MOMENT_FORMS } from '../at-time.ts';
import { defineCommand, type Command } from '../command.ts';
import { requireProcmond } from '../daemons.ts';
import { flag, text } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { startWaiting } from '../output/waiting.ts';

/** Entries are written, read back and deleted bit by bit, beside everything else that procmond does. */
const PATIENCE_MS = 6 * 3_600_000;

export const auditArchive: Command = defineCommand({
  name: 'audit archive',
  summary: 'Have procmond move old entries of the ledger into a file',
  description:
    'Entries up to the newest checkpoint before that time go into a file beside the ledger, in the form of audit export, and are removed from the ledger once the file is on disk and was read back. An entry says so, with the hash of the file; verification then starts from what was signed there. Only root and the user of procmond may ask for it.',
  options: {
    before: text('TIME', `Entries before this time; has to be given: ${MOMENT_FORMS}`),
    json: flag('As JSON'),
  },
  examples: [
    { line: "sentinelcli audit archive --before '90 days ago'", what: 'to keep the ledger small' },
    { line: 'sentinelcli audit archive --before 2026-01-01 --json | jq -r .[].path', what: 'the file, to be moved elsewhere' },
  ],
  run: async (context, _words, { before, json }) => {
    if (before === null)
      throw new SentinelError('usage.invalid', {
        message: 'audit archive needs --before',
        why: 'what is older than a time is archived',
        hint: "write for instance --before '90 days ago'",
      });
    // Not beyond now: what is written meanwhile stays, so that this comes to an end.
    const beforeMs = Math.min(resolveTime(context, 'before', before), Date.now());
    const { terminal } = context;
    const waiting = startWaiting(terminal, 'procmond archives');
    const archives: ArchiveReply[] = [];
    try {
      // One file takes so many entries; then there is another.
      for (let entries = 1; entries > 0;) {
        const reply = await requireProcmond(context.paths(), { request: 'ledger.archive', beforeMs }, ArchiveReplySchema, PATIENCE_MS);
        entries = reply.entries;
        if (entries > 0) archives.push(reply);
      }
    } finally {
      waiting.end();
    }
    const lines = archives.map(
      ({ path, throughSequence, entries, sha256 }) =>
        `${displayHostText(path)}: entries up to ${throughSequence}, ${entries} of them\nsha256 ${displayHostText(sha256)}\n`,
    );
    const rows = archives.map(({ path, throughSequence, entries, sha256 }) => ({
      path,
      through_sequence: throughSequence,
      entries,
      sha256,
    }));
    const nothing = 'nothing to archive: no checkpoint covers an entry of before that time\n';
    terminal.out(json ? `${jsonText(rows, 2)}\n` : archives.length === 0 ? nothing : lines.join(''));
    return 0;
  },
});
