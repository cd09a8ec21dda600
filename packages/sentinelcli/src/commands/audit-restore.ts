/**
 * `sentinelcli audit restore`: has the ledger record that its file was put back from a backup, and which checkpoints that are
 * known elsewhere are not in it any more.
 */
import { MAX_NOTES } from '@sentineld/model/request';
import { RestoreReplySchema } from '@sentineld/model/reply';
import { SentinelError } from '@sentineld/model/error';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { requireProcmond } from '../daemons.ts';
import { contradictionsOf, factsOf, type Contradiction } from '../ledger/contradictions.ts';
import { withLedger } from '../ledger/ledger-view.ts';
import { readCheckpointFile, readOutside } from '../ledger/outside.ts';
import { flag, text, texts } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { checkpointJson } from '../output/note-text.ts';
import { localTime } from '../output/times.ts';
import { indentText } from '../output/wrap.ts';

/** As the request has it. */
const MAX_REASON_CHARACTERS = 1000;

export const auditRestore: Command = defineCommand({
  name: 'audit restore',
  summary: 'Record that the ledger was put back from a backup',
  description:
    'After the file of the ledger was put back, entries that others know of are gone, as after an attack. This records who says that it was a restore, why, and which checkpoints of the mirrors, of the agent and of the files given are not in the ledger any more: from then on these are no failure. They are shown before they are sent. Only root and the user of procmond may ask for it.',
  options: {
    reason: text('TEXT', 'Why; has to be given, and is recorded'),
    checkpoint: texts('FILE', 'A checkpoint that was kept elsewhere; may be given again'),
    json: flag('As JSON'),
  },
  examples: [
    { line: "sentinelcli audit restore --reason 'disk of web-1 replaced, backup of 2 a.m.'", what: 'mirrors and agent tell what is gone' },
    { line: 'sentinelcli audit restore --reason test --checkpoint kept.txt --json', what: 'and a checkpoint that was kept elsewhere' },
  ],
  run: async (context, _words, { reason, checkpoint, json }) => {
    const why = requireReason(reason);
    // Before the ledger is read: what is appended meanwhile is then no contradiction.
    const sources = [...readOutside(context.paths(), context.config().config.ledger.mirror), ...checkpoint.map(readCheckpointFile)];
    const open = (await withLedger(context.paths(), (ledger) => contradictionsOf(factsOf(ledger), sources))).filter(
      ({ isExcused }) => !isExcused,
    );
    // A checkpoint excuses those of epochs before it, so the newest tell everything; procmond takes none that it did not sign.
    const abandoned = newestOf(open.filter(({ isSigned }) => isSigned)).slice(0, MAX_NOTES);
    const leftOut = newestOf(open.filter(({ isSigned }) => !isSigned));
    if (!json) context.terminal.err(abandonedText(context, abandoned, leftOut));
    const notes = abandoned.map(({ seen }) => seen.checkpoint.note);
    const { sequence } = await requireProcmond(context.paths(), { request: 'ledger.restore', reason: why, notes }, RestoreReplySchema);
    const describe = ({ seen, source, why: told }: Contradiction) => ({
      ...checkpointJson(seen.checkpoint),
      source: source.name,
      why: told,
    });
    if (json) context.terminal.out(`${jsonText({ sequence, abandoned: abandoned.map(describe), left_out: leftOut.map(describe) }, 2)}\n`);
    else context.terminal.out(`recorded as entry ${sequence}\n`);
    return 0;
  },
});

function requireReason(reason: string | null): string {
  const hint = "write for instance --reason 'backup of Monday put back'";
  if (reason === null)
    throw new SentinelError('usage.invalid', {
      message: 'audit restore needs --reason',
      why: 'whoever reads the ledger later must learn why entries are gone',
      hint,
    });
  if (reason.length <= MAX_REASON_CHARACTERS) return reason;
  throw new SentinelError('usage.invalid', {
    message: `--reason of ${reason.length} characters: not taken`,
    why: `at most ${MAX_REASON_CHARACTERS} are recorded`,
    hint,
  });
}

/** The newest first, each once however many have it. */
function newestOf(contradictions: readonly Contradiction[]): readonly Contradiction[] {
  const byNote = new Map(contradictions.map((one) => [one.seen.checkpoint.note, one]));
  return [...byNote.values()].toSorted((a, b) => b.seen.checkpoint.epoch - a.seen.checkpoint.epoch);
}

function abandonedText({ terminal }: CommandContext, abandoned: readonly Contradiction[], leftOut: readonly Contradiction[]): string {
  const item = ({ seen: { checkpoint }, source, why }: Contradiction): string =>
    indentText(
      `epoch ${checkpoint.epoch}, ${checkpoint.treeSize} entries, ${localTime(checkpoint.timestampMs)}, in ${source.name}: ${why}`,
      terminal.width,
      '    ',
      '  - ',
    );
  const none = 'No checkpoint that is known elsewhere contradicts the ledger. The restore is recorded all the same.\n';
  return [
    abandoned.length === 0 ? indentText(none.trim(), terminal.width, '') : `${terminal.errStyles.bold('Given up by this restore')}\n`,
    ...abandoned.map(item),
    leftOut.length === 0 ? '' : `${terminal.errStyles.bold('Left out: no key of this ledger signed them, so nothing excuses them')}\n`,
    ...leftOut.map(item),
  ].join('');
}
