/**
 * `sentinelcli audit verify-proof`: whether the proof of one entry holds, by nothing but a key.
 */
import { SentinelError } from '@sentineld/model/error';
import { MAX_PROOF_BYTES, parseProof, type Proof } from '@sentineld/ledger/proof';
import { verifyProof, type ProofVerification } from '@sentineld/ledger/verify-proof';
import { defineCommand, type Command } from '../command.ts';
import { readBounded } from '../ledger/outside.ts';
import { readTrustedKeys } from '../ledger/trusted-keys.ts';
import { flag, texts } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { checkpointJson } from '../output/note-text.ts';
import type { Terminal } from '../output/terminal.ts';
import { localTime } from '../output/times.ts';
import { indentText } from '../output/wrap.ts';

export const auditVerifyProof: Command = defineCommand({
  name: 'audit verify-proof',
  summary: 'Verify the proof of one entry with a key, without any database',
  description:
    'Reads what audit prove wrote and says whether the entry was in the ledger whose key you trust, what that shows and what it cannot show. No database and no daemon is asked. The exit status is 1 where it does not hold.',
  positionals: [{ name: 'FILE', summary: 'the proof', required: true }],
  options: {
    key: texts('KEY|FILE', 'A key to trust, or a file of keys; has to be given, may be given again'),
    json: flag('As JSON; docs/cli.md has its form'),
  },
  examples: [
    { line: 'sentinelcli audit verify-proof entry-4711.json --key ledger.keys', what: 'with keys from audit key export' },
    { line: 'sentinelcli audit verify-proof entry-4711.json --key ledger.keys --json | jq .ok', what: 'for a script' },
  ],
  run: async (context, [path = ''], { key, json }) => {
    if (key.length === 0)
      throw new SentinelError('usage.invalid', {
        message: 'audit verify-proof needs --key',
        why: 'a proof has no key of its own that could be trusted',
        hint: 'give what sentinelcli audit key export printed on the host: --key FILE',
      });
    const trusted = readTrustedKeys(key);
    const proof = parseProof(readBounded(path, MAX_PROOF_BYTES, 'a proof of an entry'));
    const result = verifyProof(proof, trusted);
    context.terminal.out(json ? `${jsonText(proofJson(proof, result), 2)}\n` : proofText(proof, result, context.terminal));
    return Promise.resolve(result.ok ? 0 : 1);
  },
});

function proofText({ entry, body }: Proof, result: ProofVerification, { styles, width }: Pick<Terminal, 'styles' | 'width'>): string {
  const section = (heading: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `${styles.bold(heading)}\n${lines.map((line) => indentText(line, width, '    ', '  - ')).join('')}`;
  const verdict = result.ok
    ? `${styles.green('ok')}: the proof of entry ${entry.sequence} holds\n`
    : `${styles.red('FAILED')}: the proof of entry ${entry.sequence} does not hold\n${indentText(result.why ?? '', width, '  ')}`;
  const content = [`${localTime(entry.timestampMs)}  ${entry.actor}  ${entry.action}`, body ?? entry.eventData];
  return [
    verdict,
    // What does not hold was perhaps never recorded.
    result.ok ? indentText(content, width, '  ') : '',
    section('This shows', result.shows),
    section('It cannot show', result.cannotShow),
  ].join('');
}

function proofJson({ entry, body }: Proof, result: ProofVerification): unknown {
  const { sequence, timestampMs, actor, action, eventData } = entry;
  return {
    ok: result.ok,
    why: result.why,
    entry: { sequence, timestamp: timestampMs, actor, action, event_data: eventData, ...(body === null ? {} : { body }) },
    checkpoint: checkpointJson(result.checkpoint),
    key_id: result.key?.id ?? null,
    shows: result.shows,
    cannot_show: result.cannotShow,
  };
}
