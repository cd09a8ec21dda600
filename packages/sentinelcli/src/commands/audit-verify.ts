/**
 * `sentinelcli audit verify`: recomputes every hash of the ledger, checks its signatures and holds it against what others
 * know of it.
 */
import { useNativeHashing } from '@sentineld/ledger/native-hashing';
import { loadLedgerHashing } from '@sentineld/runtime/lifecycle/ledger-hashing';
import { openLedger, verifyLedgerFile, type VerifyFileOptions } from '@sentineld/store/ledger/read';
import type { LedgerVerification } from '@sentineld/ledger/verify';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { databaseFiles, unavailable } from '../databases.ts';
import { readTrustedKeys } from '../ledger/trusted-keys.ts';
import { askWitnesses, heldAgainst, type Witnesses } from '../ledger/verify-witnesses.ts';
import { flag, ordinal, texts } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { verificationJson, verificationText } from '../output/ledger-verify-text.ts';
import { startProgress } from '../output/progress.ts';
import { recordAudit, tellUnrecorded } from '../record-audit.ts';

export const auditVerify: Command = defineCommand({
  name: 'audit verify',
  summary: 'Verify the audit ledger, entry by entry',
  description:
    'Recomputes every hash from the first entry to the last and checks every signed checkpoint, then compares the result with what a running procmond, the agent and the mirrors know of it. Says how far the ledger holds, what that shows and what it cannot show. The exit status is 1 where it does not hold; the first entry that fails is named. The verification itself is recorded in the ledger.\n\nWith --from or --to only a part is read, from the checkpoint before the first entry to the one that covers the last.',
  options: {
    key: texts('KEY|FILE', 'A key to trust, or a file of keys; without one the ledger says whose it is; may be given again'),
    checkpoint: texts('FILE', 'A checkpoint from elsewhere to hold it against; may be given again'),
    from: ordinal('Only from this entry on'),
    to: ordinal('Only up to this entry'),
    json: flag('As JSON; docs/cli.md has its form'),
  },
  examples: [
    { line: 'sentinelcli audit verify', what: 'does the ledger hold, and from what do we know?' },
    { line: 'sentinelcli audit verify --key ledger.keys', what: 'with keys from audit key export, kept elsewhere' },
    { line: 'sentinelcli audit verify --from 90000 --json | jq .failure', what: 'null, or the entry that fails and why' },
  ],
  run: async (context, _words, { key, checkpoint, from, to, json }) => {
    const trusted = key.length === 0 ? {} : { trusted: readTrustedKeys(key) };
    const part = from === null && to === null ? {} : { part: { from, to } };
    // Before the ledger is read: what is appended meanwhile is then no contradiction.
    const witnesses = await askWitnesses(context, checkpoint);
    const startedMs = performance.now();
    const result = verifyFile(context, witnesses, { ...trusted, ...part });
    const ms = Math.round(performance.now() - startedMs);
    const { terminal } = context;
    const report = { result, witnesses, ms };
    terminal.out(json ? `${jsonText(verificationJson(report), 2)}\n` : verificationText(report, terminal));
    const failure = result.failure === undefined ? null : { sequence: result.failure.sequence, what: result.failure.what };
    const { ok, first, entries, head, checkpoints } = result;
    const data = { ok, first, entries, head, checkpoints, failure, witnesses: witnesses.heads.length, ms };
    tellUnrecorded(context, await recordAudit(context, { action: 'audit_verify', data }));
    return ok ? 0 : 1;
  },
});

function verifyFile(context: CommandContext, witnesses: Witnesses, options: VerifyFileOptions): LedgerVerification {
  const paths = context.paths();
  const file = databaseFiles(paths).find(({ name }) => name === 'ledger');
  if (file !== undefined && file.state !== 'readable') throw unavailable(file);
  const checker = loadLedgerHashing();
  if (checker !== null) useNativeHashing({ available: true, native: checker });
  const db = openLedger(paths.ledgerDb);
  try {
    const progress = startProgress(context.terminal, 'verifying', newestSequence(db));
    try {
      return verifyLedgerFile(db, { ...options, checker, witnesses: heldAgainst(db, witnesses), step: progress.step });
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
