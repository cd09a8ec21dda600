import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULTS, type Config } from '../config/config.ts';
import { daemonAccounts } from './accounts.ts';

const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nsentineld-mon:x:990:980::/nonexistent:/usr/sbin/nologin\nsentineld-agent:x:991:980::/:/bin/false\n';
const GROUP = 'root:x:0:\nsentineld:x:980:alice,bob\nsentineld-audit:x:981:\n';

const config = (changes: Partial<Config> = {}): Config => ({ ...DEFAULTS, state_dir: '/var/lib/sentineld', ...changes });
const files =
  (passwd: string, group: string) =>
  (file: string): string =>
    file === '/etc/passwd' ? passwd : group;
const ids = (accounts: ReturnType<typeof daemonAccounts>): number[] => [
  accounts.collectorUid,
  accounts.agentUid,
  accounts.operatorsGid,
  accounts.auditorsGid,
];

describe('daemonAccounts', () => {
  it('are the configured ones where all exist', () => {
    expect(daemonAccounts(config(), files(PASSWD, GROUP))).toEqual({
      collectorUid: 990,
      agentUid: 991,
      operatorsGid: 980,
      auditorsGid: 981,
      configured: true,
    });
    const privileges = { ...DEFAULTS.privileges, collector_user: 'sentineld-agent' };
    expect(daemonAccounts(config({ privileges }), files(PASSWD, GROUP)).collectorUid).toBe(991);
  });

  it.each([
    ['a user', PASSWD.replace('sentineld-agent', 'agent'), GROUP],
    ['a group', PASSWD, GROUP.replace('sentineld-audit', 'audit')],
    ['everything', '', ''],
  ])('are spare ones where %s is missing', (_what, passwd, group) => {
    const accounts = daemonAccounts(config(), files(passwd, group));
    expect(accounts.configured).toBe(false);
    for (const id of ids(accounts)) expect(id >= 61_184 && id <= 65_519).toBe(true);
    // Collector, agent and auditors are told apart; the operators' group is of the collector's number.
    expect(new Set([accounts.collectorUid, accounts.agentUid, accounts.auditorsGid]).size).toBe(3);
    expect(accounts.operatorsGid).toBe(accounts.collectorUid);
  });

  it('are the same for one directory at every start, others for another', () => {
    const at = (state_dir: string): number[] => ids(daemonAccounts(config({ state_dir }), files('', '')));
    expect(at('/a')).toEqual(at('/a'));
    expect(at('/a')).not.toEqual(at('/b'));
  });

  it('pass over a slot of which any id is taken, by a user or by a group', () => {
    const first = daemonAccounts(config(), files('', ''));
    for (const taken of [first.collectorUid, first.agentUid, first.auditorsGid]) {
      const asUser = daemonAccounts(config(), files(`x:x:${taken}:0::/:/bin/sh`, ''));
      const asGroup = daemonAccounts(config(), files('', `x:x:${taken}:`));
      expect(asGroup).toEqual(asUser);
      expect(asUser.collectorUid).not.toBe(first.collectorUid);
      expect(ids(asUser)).not.toContain(taken);
    }
  });

  it('never are ids that somebody has, whatever directory and files', () => {
    const line = fc
      .tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.integer({ min: 61_000, max: 65_600 }))
      .map(([name, id]) => `${name}:x:${id}:${id}:::`);
    fc.assert(
      fc.property(fc.string(), fc.array(line, { maxLength: 200 }), fc.array(line, { maxLength: 200 }), (state_dir, users, groups) => {
        const accounts = daemonAccounts(config({ state_dir }), files(users.join('\n'), groups.join('\n')));
        const taken = new Set([...users, ...groups].map((entry) => Number(entry.split(':')[2])));
        // One name may be given several times: the first counts, and a later id of it is free.
        const counted = new Set(new Map(users.toReversed().map((entry) => [entry.split(':')[0], Number(entry.split(':')[2])])).values());
        expect(ids(accounts).every((id) => id >= 61_184 && id <= 65_519)).toBe(true);
        expect(ids(accounts).some((id) => counted.has(id) && taken.has(id))).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it('count the first of two lines with one name, and no line that is none', () => {
    const passwd = `${PASSWD}sentineld-mon:x:5:5::/:\nnonsense\nsentineld-agent:x:abc:::\n:x:7:::\n`;
    expect(daemonAccounts(config(), files(passwd, GROUP)).collectorUid).toBe(990);
    expect(daemonAccounts(config(), files(passwd.replace(':991:', ':-1:'), GROUP)).configured).toBe(false);
  });

  it('are never root', () => {
    for (const name of ['collector_user', 'agent_user', 'operators_group', 'auditors_group'] as const) {
      const privileges = { ...DEFAULTS.privileges, [name]: 'root' };
      expect(() => daemonAccounts(config({ privileges }), files(PASSWD, GROUP))).toThrow(
        expect.objectContaining({ code: 'config.invalid' }),
      );
    }
  });

  it('come from the files of this machine where nothing else is given', () => {
    expect(ids(daemonAccounts(config())).every((id) => Number.isInteger(id) && id > 0)).toBe(true);
  });
});
