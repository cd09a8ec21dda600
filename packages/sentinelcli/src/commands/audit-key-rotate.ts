/**
 * `sentinelcli audit key rotate`: lets a new key sign the ledger, and destroys the old one.
 */
import { RotateKeyReplySchema } from '@sentineld/model/reply';
import { SentinelError } from '@sentineld/model/error';
import { parseKey } from '@sentineld/ledger/note';
import { displayHostText } from '@sentineld/model/host-text';
import { defineCommand, type Command } from '../command.ts';
import { requireProcmond } from '../daemons.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';

export const auditKeyRotate: Command = defineCommand({
  name: 'audit key rotate',
  summary: 'Let a new key sign the ledger, and destroy the old one',
  description:
    'procmond makes a key, has the present one announce it in the ledger and sign that, and replaces its file. What was signed before stays verifiable; nobody can sign with the old key any more. Only root and the user of procmond may ask for it. Prints the new key, with a remark before it.',
  options: { json: flag('As JSON, with the first epoch of the key') },
  examples: [{ line: 'sentinelcli audit key rotate >> ledger.keys', what: 'to keep the new key beside the ones before' }],
  run: async (context, _words, { json }) => {
    const reply = await requireProcmond(context.paths(), { request: 'ledger.rotate_key' }, RotateKeyReplySchema);
    const key = readKey(reply.key);
    const { terminal } = context;
    const remark = `# ${key.id}: from epoch ${reply.firstEpoch} on; the private key before it is gone`;
    terminal.out(json ? `${jsonText({ key: key.text, id: key.id, first_epoch: reply.firstEpoch }, 2)}\n` : `${remark}\n${key.text}\n`);
    return 0;
  },
});

function readKey(text: string): ReturnType<typeof parseKey> {
  const refuse = (why: string): SentinelError =>
    new SentinelError('ipc.protocol', { message: 'procmond answered with what is no key', why });
  if (displayHostText(text) !== text) throw refuse('it has characters that are not to be shown');
  try {
    return parseKey(text);
  } catch (cause) {
    throw cause instanceof SentinelError ? refuse(cause.why) : cause;
  }
}
