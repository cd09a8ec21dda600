/**
 * Which users and groups the daemons become when they are started as root. Where the configured accounts exist they
 * are used; where they do not (a first try on a machine), uids that no account has, the same for one state directory
 * at every start.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SentinelError } from '@sentineld/model/error';
import type { Config } from '../config/config.ts';

export type DaemonAccounts = {
  readonly collectorUid: number;
  readonly agentUid: number;
  /** May read events and alerts and ask the daemons. */
  readonly operatorsGid: number;
  /** May read the ledger. */
  readonly auditorsGid: number;
  /** False where the accounts do not exist and spare numbers stand in for them. */
  readonly configured: boolean;
};

/** The range that systemd sets aside for users made on the fly (systemd, UIDS-GIDS: 61184 to 65519). */
const SPARE_FIRST = 61_184;
const SPARE_SLOTS = 1083;
const SPARE_PER_SLOT = 4;

/** Accounts for one installation. `read` gives the text of a file; tests pass their own. Throws 'config.invalid' where one of them is root. */
export function daemonAccounts(config: Config, read: (file: string) => string = (file) => readFileSync(file, 'utf8')): DaemonAccounts {
  const users = idsByName(read('/etc/passwd'));
  const groups = idsByName(read('/etc/group'));
  const collectorUid = users.get(config.privileges.collector_user);
  const agentUid = users.get(config.privileges.agent_user);
  const operatorsGid = groups.get(config.privileges.operators_group);
  const auditorsGid = groups.get(config.privileges.auditors_group);
  if (collectorUid !== undefined && agentUid !== undefined && operatorsGid !== undefined && auditorsGid !== undefined) {
    if ([collectorUid, agentUid, operatorsGid, auditorsGid].includes(0)) {
      throw new SentinelError('config.invalid', {
        message: 'privileges: a configured user or group is root',
        hint: 'name users and groups that have no rights of their own',
      });
    }
    return { collectorUid, agentUid, operatorsGid, auditorsGid, configured: true };
  }
  const taken = new Set([...users.values(), ...groups.values()]);
  const start = createHash('sha256').update(config.state_dir).digest().readUInt32BE(0) % SPARE_SLOTS;
  for (let i = 0; i < SPARE_SLOTS; i++) {
    const base = SPARE_FIRST + SPARE_PER_SLOT * ((start + i) % SPARE_SLOTS);
    if ([base, base + 1, base + 2].some((id) => taken.has(id))) continue;
    return { collectorUid: base, agentUid: base + 1, operatorsGid: base, auditorsGid: base + 2, configured: false };
  }
  return {
    collectorUid: SPARE_FIRST,
    agentUid: SPARE_FIRST + 1,
    operatorsGid: SPARE_FIRST,
    auditorsGid: SPARE_FIRST + 2,
    configured: false,
  };
}

/** Name -> id of a file in the form of passwd(5) or group(5). */
function idsByName(text: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    // The first of several lines with one name counts, as in getpwnam(3).
    if (name !== undefined && id !== undefined && /^\d+$/.test(id) && !ids.has(name)) ids.set(name, Number(id));
  }
  return ids;
}
