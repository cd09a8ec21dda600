/**
 * Has the ledger record what an operator did. procmond writes the entry and who asked for it; where procmond is away
 * the agent keeps it until it is back; where both are, nobody can, and the operator is told so.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import type { CommandContext } from './command.ts';
import { askDaemon } from './daemons.ts';
import { displayHostText } from '@sentineld/model/host-text';

/** Null where it is recorded or kept; else why nobody could. */
export async function recordAudit(context: CommandContext, event: AuditEvent): Promise<string | null> {
  const paths = context.paths();
  // One invocation sends one entry, so its number is 1 and its origin is new each time.
  const origin = `cli-${crypto.randomUUID()}`;
  const appended = await askDaemon('procmond', paths, { request: 'audit.append', origin, entries: [{ originSequence: 1, event }] });
  if (appended.reached) return null;
  const queued = await askDaemon('sentinelagent', paths, { request: 'audit.queue', event });
  if (queued.reached) return null;
  return appended.why === 'absent' ? 'neither daemon is running' : appended.message;
}

/** Says so where nothing was recorded of what has just been shown. */
export function tellUnrecorded({ terminal }: CommandContext, reason: string | null): void {
  if (reason !== null) terminal.err(terminal.errStyles.dim(`not recorded in the ledger: ${displayHostText(reason)}`) + '\n');
}
