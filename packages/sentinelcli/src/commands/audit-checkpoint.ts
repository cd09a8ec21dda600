/**
 * `sentinelcli audit checkpoint`: has procmond sign the ledger as it is now, and prints that, to be kept elsewhere.
 */
import { CheckpointNoticeSchema } from '@sentineld/model/reply';
import { defineCommand, type Command } from '../command.ts';
import { requireProcmond } from '../daemons.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { checkpointJson, readNotice } from '../output/note-text.ts';

export const auditCheckpoint: Command = defineCommand({
  name: 'audit checkpoint',
  summary: 'Have procmond sign the ledger as it is now, and print the checkpoint',
  description:
    'Closes the epoch and prints the signed checkpoint as it is, so that it can be kept where nobody on this host can change it: on paper, on another host, in a mail. Whoever has it can show later that an entry was removed or changed since (sentinelcli audit verify --checkpoint FILE).',
  options: { json: flag('As JSON, with what it says in short') },
  examples: [
    { line: 'sentinelcli audit checkpoint', what: 'to be written down, or copied' },
    { line: 'sentinelcli audit checkpoint | ssh elsewhere "cat >> checkpoints"', what: 'to keep it on another host' },
  ],
  run: async (context, _words, { json }) => {
    const { note } = await requireProcmond(context.paths(), { request: 'ledger.checkpoint' }, CheckpointNoticeSchema);
    const checkpoint = readNotice(note);
    context.terminal.out(json ? `${jsonText({ ...checkpointJson(checkpoint), note }, 2)}\n` : note);
    return 0;
  },
});
