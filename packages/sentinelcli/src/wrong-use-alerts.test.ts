import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from './commands/registry.ts';
import { createInstallation, type Installation } from './fixtures/installation.ts';
import { START, everywhere, expectTold, type Wrong } from './fixtures/wrong-use.ts';

let installation: Installation;
/** An installation on which nothing has run. */
let empty: Installation;
let directory = '';
const at = (name: string): string => join(directory, name);

const LONG_ROW = JSON.stringify([{ pid: 1, cmdline: 'x'.repeat(5000) }]);
const ODD_ROW = JSON.stringify([{ pid: 1 }]);
const RULES = `INSERT INTO detection_rules (id, severity, dedup_keys, removed_at) VALUES
  ('shell-from-service', 'high', '["pid"]', NULL), ('long', 'high', '["cmdline"]', NULL), ('odd', 'high', '["cmdline"]', NULL),
  ('worst', 'critical', '["pid"]', NULL), ('gone', 'high', '["pid"]', 5)`;

beforeAll(() => {
  installation = createInstallation();
  installation.makeAgent([{}, { rule_id: 'long', query_result: LONG_ROW }, { rule_id: 'odd', query_result: ODD_ROW }, { rule_id: 'gone' }]);
  installation.changeDatabase(installation.paths.agentDb, RULES);
  empty = createInstallation();
  directory = mkdtempSync(join(tmpdir(), 'sentineld-wrong-use-'));
  mkdirSync(at('damaged/agent'), { recursive: true });
  writeFileSync(at('damaged/agent/agent.db'), 'no database'.repeat(100));
});
afterAll(async () => {
  await installation.close();
  await empty.close();
  rmSync(directory, { recursive: true });
});

/** Of a database of the agent that is not there, or not readable as one. */
const databases = (...words: readonly string[]): readonly Wrong[] => [
  [[...words, '--state-dir', empty.paths.root], 4, 'there is no agent.db', 'sentinelagent makes it, and has not run', START],
  [[...words, '--state-dir', at('damaged')], 4, 'agent.db is damaged', '', ''],
];

/** Of a decision that has no reason, or one that is not kept. */
const reasons = (command: string, ...words: readonly string[]): readonly Wrong[] => [
  [words, 2, `${command} needs --reason`, 'must learn why', "write for instance --reason '"],
  [[...words, '--reason', ' '], 2, `${command} needs --reason`, 'must learn why', '--reason'],
  [[...words, '--reason', ''], 2, '--reason needs a value', 'what follows it is empty', 'write --reason=TEXT'],
  [[...words, '--reason', 'x'.repeat(501)], 2, '--reason of 501 characters', 'at most 500', '--reason'],
];

const NO_AGENT = [4, 'sentinelagent does not run here', 'nobody listens on', START] as const;
const GIVEN = ['--for', '1h', '--reason', 'x'] as const;
const suppress = (...words: readonly string[]): readonly string[] => [...words, ...GIVEN];
const where = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => ['--where', `c${at}=x`]).flat();

const WRONG: Readonly<Record<string, () => readonly Wrong[]>> = {
  'alerts ack': () => [
    ...reasons('alerts ack', '1'),
    ...databases('1', '--reason', 'x'),
    [['--reason', 'x'], 2, 'alerts ack needs ID', 'the number in "alerts list", or newest', 'sentinelcli alerts ack --help'],
    [['', '--reason', 'x'], 2, 'ID of alerts ack is empty', 'an unset variable', 'sentinelcli alerts ack --help'],
    [['all', '--reason', 'x'], 2, '"all" names no alert', 'by its number', 'sentinelcli alerts list'],
    [['1', '99', '--reason', 'x'], 2, 'there is no alert 99', 'no alert of this number', 'sentinelcli alerts list'],
    [[...Array.from({ length: 101 }, () => '1'), '--reason', 'x'], 2, '101 alerts at once', 'at most 100', 'in several commands'],
    [['1', '--reason', 'x', '--agian'], 2, 'unknown option --agian', '"alerts ack" takes', 'did you mean --again?'],
    [['1', '--reason', 'x', '--again=yes'], 2, '--again=yes: not taken', 'takes no value', 'write --again alone'],
    [['1', '--reason', 'x'], ...NO_AGENT],
  ],
  'alerts suppress': () => [
    ...reasons('alerts suppress', '--alert', '1', '--for', '1h'),
    ...databases(...suppress('--alert', '1')),
    [suppress(), 2, 'alerts suppress needs --rule or --alert', 'findings of a rule', '--alert newest'],
    [suppress('--alert', '1', '--rule', 'a'), 2, '--rule and --alert exclude each other', 'like an alert', '--alert newest'],
    [['--alert', '1', '--reason', 'x'], 2, 'alerts suppress needs --for', 'nothing is suppressed for ever', '--for 7d'],
    [['--alert', '1', '--for', '5m', '--reason', 'x'], 2, '--for 5m: not taken', 'from 1h to 90d', '--for 1h'],
    [['--alert', '1', '--for', '91d', '--reason', 'x'], 2, '--for 91d: not taken', 'from 1h to 90d', '--for 1h'],
    [['--alert', '1', '--for', '7', '--reason', 'x'], 2, '--for 7: not taken', 'a number with a unit', '--for 1h'],
    [suppress('--alert', '99'), 2, 'there is no alert 99', 'no alert of this number', 'sentinelcli alerts list'],
    [suppress('--alert', 'last'), 2, '"last" names no alert', 'by its number', 'sentinelcli alerts list'],
    [suppress('--alert', '2'), 2, 'the value of cmdline has 5000 bytes', 'at most 4096', '--where '],
    [suppress('--alert', '3'), 2, 'alert 3 has no column cmdline', 'by other columns', '--where'],
    [suppress('--alert', '4'), 2, 'there is no rule gone', 'no rule that the agent loaded', ''],
    [suppress('--rule', 'shell-from-servce'), 2, 'there is no rule shell-from-servce', 'has this id', 'did you mean shell-from-service?'],
    [suppress('--rule', '\u001b[2J'), 2, 'there is no rule \\x1b[2J', 'has this id', 'sentinelcli rules list'],
    [suppress('--rule', 'worst'), 2, 'rule worst is not suppressed as a whole', 'it is critical', '--where COLUMN=VALUE'],
    [['--rule', 'worst', '--preview'], 2, 'rule worst is not suppressed as a whole', 'it is critical', '--alert ID'],
    [suppress('--rule', 'long', '--where', 'pid'), 2, '--where pid: not taken', 'it must be COLUMN=VALUE', '--where user_name=backup'],
    [suppress('--rule', 'long', '--where', '=x'), 2, '--where =x: not taken', 'it must be COLUMN=VALUE', '--where user_name=backup'],
    [suppress('--rule', 'long', '--where', 'a=1', '--where', 'a=2'), 2, 'two values for a', 'one value of each column', 'one of them'],
    [suppress('--alert', '1', '--where', 'pid=1'), 2, 'two values for pid', 'one value of each column', 'one of them'],
    [suppress('--rule', 'long', ...where(9)), 2, '9 conditions: not taken', 'at most 8', 'fewer columns'],
    [suppress('--rule', 'long', '--where', `a=${'€'.repeat(1366)}`), 2, 'the value of a has 4098 bytes', 'at most 4096', '--where '],
    [
      suppress('--rule', 'long', ...[1, 2, 3, 4, 5, 6, 7].flatMap((n) => ['--where', `c${n}=${'\u0001'.repeat(600)}`])),
      2, 'conditions of', 'at most 24576', 'fewer columns',
    ], // prettier-ignore
    [
      ['--rule', 'long', '--where', 'cmdlin=x', '--preview'],
      2,
      'the alerts of rule long have no column cmdlin',
      'they have pid, cmdline',
      '--where pid=',
    ],
    [suppress('1'), 2, '"1" is one word too many', 'alerts suppress takes no words', 'sentinelcli alerts suppress --help'],
    [suppress('--alert', '1'), ...NO_AGENT],
  ],
  'alerts suppressions': () => [
    ...everywhere('alerts suppressions'),
    ...databases(),
    [['1'], 2, '"1" is one word too many', 'alerts suppressions takes no words', 'sentinelcli alerts suppressions --help'],
    [['--al'], 2, 'unknown option --al', '"alerts suppressions" takes', 'did you mean --all?'],
  ],
  'alerts unsuppress': () => [
    ...reasons('alerts unsuppress', '1'),
    [['--reason', 'x'], 2, 'alerts unsuppress needs ID', 'the number in "alerts suppressions"', 'sentinelcli alerts unsuppress --help'],
    [['', '--reason', 'x'], 2, 'ID of alerts unsuppress is empty', 'an unset variable', 'sentinelcli alerts unsuppress --help'],
    [['0', '--reason', 'x'], 2, '"0": not taken', 'a whole number from 1', 'sentinelcli alerts suppressions'],
    [['newest', '--reason', 'x'], 2, '"newest": not taken', 'a whole number from 1', 'sentinelcli alerts suppressions'],
    [['9'.repeat(40), '--reason', 'x'], 2, ': not taken', 'a whole number from 1', 'sentinelcli alerts suppressions'],
    [['1', '2', '--reason', 'x'], 2, '"2" is one word too many', 'alerts unsuppress takes ID', 'sentinelcli alerts unsuppress --help'],
    [['1', '--reson', 'x'], 2, 'unknown option --reson', '"alerts unsuppress" takes', 'did you mean --reason?'],
    [['1', '--reason', 'x'], ...NO_AGENT],
  ],
};

const NAMES = COMMANDS.map(({ name }) => name).filter((name) => /^alerts (ack|.*suppress)/.test(name));

describe('a wrong use of what decides about alerts', () => {
  it('is tried ten times of every such command', () => {
    expect(NAMES).toHaveLength(4);
    expect(Object.keys(WRONG).toSorted()).toEqual(NAMES.toSorted());
    for (const [command, uses] of Object.entries(WRONG)) expect([command, uses().length >= 10]).toEqual([command, true]);
  });

  it.each(Object.keys(WRONG))('of "%s" is told in three lines: what, why, what to do', async (command) => {
    await expectTold(installation, command, WRONG[command]?.() ?? []);
  });
});
