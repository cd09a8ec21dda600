/**
 * Has the ledger record what an operator did. procmond writes the entry and who asked for it; where procmond is away
 * the agent keeps it until it is back; where both are, nobody can, and the operator is told so.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import type { CommandContext } from './command.ts';
import { askDaemon } from './daemons.ts';
import { displayHostText } from '@sentineld/model/host-text';

/** Where the entry is now. */
export type Recorded = 'ledger' | 'queued' | 'nowhere';

export async function recordAudit(context: CommandContext, event: AuditEvent): Promise<Recorded> {
  const paths = context.paths();
  // One invocation sends one entry, so its number is 1 and its origin is new each time.
  const origin = `cli-${crypto.randomUUID()}`;
  const appended = await askDaemon('procmond', paths, { request: 'audit.append', origin, entries: [{ originSequence: 1, event }] });
  if (appended.reached) return 'ledger';
  const queued = await askDaemon('sentinelagent', paths, { request: 'audit.queue', event });
  if (queued.reached) return 'queued';
  const reason = appended.why === 'absent' ? 'neither daemon is running' : appended.message;
  context.terminal.err(context.terminal.errStyles.dim(`not recorded in the ledger: ${displayHostText(reason)}`) + '\n');
  return 'nowhere';
}
