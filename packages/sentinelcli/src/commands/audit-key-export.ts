/**
 * `sentinelcli audit key export`: the public keys that sign the ledger, for whoever verifies it elsewhere.
 */
import { defineCommand, type Command } from '../command.ts';
import { withLedger, type AnnouncedKey } from '../ledger/ledger-view.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { isoTime, localTime } from '../output/times.ts';
import { SentinelError } from '@sentineld/model/error';

export const auditKeyExport: Command = defineCommand({
  name: 'audit key export',
  summary: 'Print the public keys that sign the ledger',
  description:
    'One key a line, oldest first, as --key of audit verify and audit verify-proof takes them; a remark before each says which epochs it signs. They are read from the ledger: keep the first one elsewhere, and compare.',
  options: { json: flag('As JSON, with the epochs of each key and the entry that announced it') },
  examples: [
    { line: 'sentinelcli audit key export > ledger.keys', what: 'to verify proofs and exports on another host' },
    { line: 'sentinelcli audit key export --json | jq -r .[-1].id', what: 'the key that signs now' },
  ],
  run: async (context, _words, { json }) => {
    const keys = await withLedger(context.paths(), (ledger) => ledger.keys());
    if (keys.length === 0)
      throw new SentinelError('store.missing', {
        message: 'no key signs this ledger yet',
        why: 'it was written by a release that did not sign',
        hint: 'start procmond of this release on it: that makes a key',
      });
    const described = keys.map(({ period, entry }, at) => ({
      key: period.key.text,
      id: period.key.id,
      first_epoch: period.firstEpoch,
      last_epoch: lastEpochOf(keys[at + 1]),
      announced_by: entry?.sequence ?? null,
      since: entry === null ? null : isoTime(entry.timestampMs),
      is_announced: period.isAnnounced,
    }));
    const { terminal } = context;
    if (json) {
      terminal.out(`${jsonText(described, 2)}\n`);
      return 0;
    }
    keys.forEach(({ period, entry }, at) => {
      const [first, last] = [period.firstEpoch, lastEpochOf(keys[at + 1])];
      const epochs = last === null ? `from epoch ${first} on` : last < first ? 'no epoch' : `epochs ${first} to ${last}`;
      const since = entry === null ? 'announced in an archive' : `entry ${entry.sequence}, ${localTime(entry.timestampMs)}`;
      const doubt = period.isAnnounced ? '' : '; NO KEY BEFORE IT ANNOUNCED IT';
      terminal.out(`# ${period.key.id}: ${epochs} (${since})${doubt}\n${period.key.text}\n`);
    });
    return 0;
  },
});

/** The epoch before the next key's first; a key that was lost within its first epoch closed none. */
function lastEpochOf(next: AnnouncedKey | undefined): number | null {
  return next === undefined ? null : next.period.firstEpoch - 1;
}
