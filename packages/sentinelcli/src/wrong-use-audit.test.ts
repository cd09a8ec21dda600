import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from './commands/registry.ts';
import { NOW_MS, createInstallation, type Installation } from './fixtures/installation.ts';
import { signerOf } from './fixtures/ledger.ts';
import { CONFIGURATION, START, everywhere, expectTold, type Wrong } from './fixtures/wrong-use.ts';

let installation: Installation;
/** An installation on which nothing has run. */
let empty: Installation;
let directory = '';
const at = (name: string): string => join(directory, name);

beforeAll(() => {
  installation = createInstallation();
  installation.makeHistory([{ atMs: NOW_MS - 60_000, processes: [{ pid: 1, name: 'init' }] }]);
  installation.makeSignedLedger(5, { checkpoints: [3] });
  empty = createInstallation();
  directory = mkdtempSync(join(tmpdir(), 'sentineld-wrong-use-'));
  for (const name of ['damaged', 'newer']) mkdirSync(at(`${name}/ledger`), { recursive: true });
  writeFileSync(at('damaged/ledger/ledger.db'), 'no database'.repeat(100));
  installation.changeDatabase(at('newer/ledger/ledger.db'), 'CREATE TABLE audit_ledger (sequence); PRAGMA user_version = 99');
  writeFileSync(at('a-file'), 'text\n');
  writeFileSync(at('huge'), 'x'.repeat(70_000));
  writeFileSync(at('binary'), Buffer.from([0xff, 0xfe, 0]));
});
afterAll(async () => {
  await installation.close();
  await empty.close();
  rmSync(directory, { recursive: true });
});

/** Of a ledger that is not there, not readable as one, or of a release to come. */
const ledgers = (...words: readonly string[]): readonly Wrong[] => [
  [[...words, '--state-dir', empty.paths.root], 4, 'there is no ledger.db', 'procmond makes it, and has not run', START],
  [[...words, '--state-dir', at('damaged')], 4, 'ledger.db', '', ''],
  [[...words, '--state-dir', at('newer')], 4, 'version 99', '', 'release'],
];

/** Of requests that nobody takes, as nothing runs here. */
const absent = (...words: readonly string[]): Wrong => [words, 4, 'procmond does not run here', 'nobody listens on', START];

const NUMBERS = 'sentinelcli audit log shows the numbers';
const LONG = '9'.repeat(40);

const WRONG: Readonly<Record<string, () => readonly Wrong[]>> = {
  'audit log': () => [
    ...ledgers(),
    [['--actor', 'procmnd'], 2, '--actor procmnd: not taken', 'one of procmond, sentinelagent, sentinelcli', '--actor procmond?'],
    [['--action', 'strt'], 2, '--action strt: not taken', 'one of ledger_create', '--action start?'],
    [['--since', 'soon'], 2, '--since soon: not taken', "'10 min ago', 14:05", "--since '10 min ago'"],
    [['--until', 'scan 99'], 2, 'there is no scan 99', 'are kept', "'scan 1'"],
    [['--since', '1h ago', '--until', '2h ago'], 2, '--since and --until: not taken', 'end is not after', 'other way round'],
    [['--from', '0'], 2, '--from 0: not taken', 'a whole number from 1', '--from 1'],
    [['--from', '5', '--to', '4'], 2, '--from 5 --to 4: not taken', 'end is before the beginning', 'other way round'],
    [['--limit', '0'], 2, '--limit 0: not taken', 'a whole number from 1 to 1000000', '--limit 50'],
    [['4711'], 2, '"4711" is one word too many', 'audit log takes no words', 'sentinelcli audit log --help'],
  ],
  'audit status': () => [...everywhere('audit status'), ...CONFIGURATION, ...ledgers()],
  'audit verify': () => [
    ...everywhere('audit verify'),
    [['now'], 2, '"now" is one word too many', 'audit verify takes no words', 'sentinelcli audit verify --help'],
    ...ledgers(),
  ],
  'audit checkpoint': () => [...everywhere('audit checkpoint'), ...CONFIGURATION, absent()],
  'audit key export': () => [
    ...everywhere('audit key export'),
    ...ledgers(),
    [['now'], 2, '"now" is one word too many', 'audit key export takes no words', 'sentinelcli audit key export --help'],
  ],
  'audit key rotate': () => [...everywhere('audit key rotate'), ...CONFIGURATION, absent()],
  'audit prove': () => [
    ...ledgers('1'),
    [[], 2, 'audit prove needs SEQ', 'the number of the entry', 'sentinelcli audit prove --help'],
    [['0'], 2, 'SEQ 0: not taken', 'a whole number from 1', NUMBERS],
    [['first'], 2, 'SEQ first: not taken', 'a whole number from 1', NUMBERS],
    [[LONG], 2, `SEQ ${LONG}: not taken`, 'a whole number from 1', NUMBERS],
    [['99'], 2, 'there is no entry 99', 'the newest is 5', NUMBERS],
    [['4'], 2, 'no checkpoint covers entry 4 yet', 'the newest covers 3 entries', 'audit checkpoint makes one'],
    [['1', '2'], 2, '"2" is one word too many', 'audit prove takes SEQ', 'sentinelcli audit prove --help'],
    [['1', '--force'], 2, '--force needs --out', 'no file to be replaced', 'write --out=FILE'],
    [['1', '--out', at('a-file')], 2, 'is in the way', 'is not overwritten', '--force'],
    [['1', '--out', directory], 2, 'is in the way', 'it is a directory', 'name of a new file'],
    [['1', '--out', at('none/x')], 4, 'cannot be written', 'no such file or directory', 'another place'],
  ],
  'audit verify-proof': () => {
    const key = signerOf(1).key.text;
    return [
      [[], 2, 'audit verify-proof needs FILE', 'the proof', 'sentinelcli audit verify-proof --help'],
      [['x'], 2, 'audit verify-proof needs --key', 'no key of its own', 'audit key export'],
      [[at('none'), '--key', key], 2, 'is not a proof of an entry', 'no such file', 'this user may read'],
      [[directory, '--key', key], 2, 'is not a proof of an entry', 'it is no ordinary file', 'this user may read'],
      [[at('binary'), '--key', key], 2, 'is not a proof of an entry', 'it is not UTF-8 text', 'as it was written'],
      [[at('a-file'), '--key', key], 2, 'This is no proof of an entry.', '', 'audit prove'],
      [[at('a-file'), '--key', at('none')], 2, 'is not a file of keys', 'no such file', 'this user may read'],
      [[at('a-file'), '--key', at('huge')], 2, 'is not a file of keys', 'larger than the 65536 bytes', 'nothing else'],
      [
        [at('a-file'), '--key', at('a-file')],
        2,
        'The file of keys',
        'line 1 is no key of a ledger: it is not NAME+8 HEX DIGITS',
        'audit key export',
      ],
      [[at('a-file'), '--key', `${key}A`], 2, 'This is no key of a ledger.', '', 'audit key export'],
      [[at('a-file'), '--key', key.replace('l-1', 'l-2')], 2, 'This is no key of a ledger.', 'a part of it was changed', ''],
      [['x', 'y', '--key', key], 2, '"y" is one word too many', 'takes FILE', '--help'],
    ];
  },
  'audit export': () => [
    ...ledgers('--out', '-'),
    [[], 2, 'audit export needs --out', 'it writes a file', 'write --out=FILE'],
    [['--out', '-', '--range', 'all'], 2, '--range all: not taken', 'two numbers of entries', '--range=100-200'],
    [['--out', '-', '--range=-'], 2, '--range -: not taken', 'two numbers of entries', '--range=100-200'],
    [['--out', '-', '--range', '5-4'], 2, '--range 5-4: not taken', 'end is before the beginning', '--range=100-200'],
    [['--out', '-', '--range', '0-4'], 2, '--range 0-4: not taken', 'numbered from 1', '--range=100-200'],
    [['--out', '-', '--range', '1-9'], 2, 'there is no entry 9', 'the newest is 5', NUMBERS],
    [['--out', '-', '--range', '4-'], 2, 'no checkpoint covers entry 4 yet', 'the newest covers 3', 'audit checkpoint makes one'],
    [['--out', '-', '--force'], 2, '--force needs a file', 'standard output', 'leave --force out'],
    [['--out', at('a-file')], 2, 'is in the way', 'is not overwritten', '--force'],
    [['--out', at('a-file/x')], 4, 'cannot be written', 'a part of the path is no directory', 'another place'],
  ],
  'audit archive': () => [
    absent('--before', '1h ago'),
    [[], 2, 'audit archive needs --before', 'older than a time', "--before '90 days ago'"],
    [['--before', 'soon'], 2, '--before soon: not taken', "'10 min ago'", "--before '10 min ago'"],
    [['--before', '2999-01-01'], 2, '--before 2999-01-01: not taken', 'in the future', "--before '10 min ago'"],
    [['--before', '5'], 2, '--before 5: not taken', "'10 min ago'", "--before '10 min ago'"],
    [['--before', 'scan 99'], 2, 'there is no scan 99', 'are kept', "'scan 1'"],
    ...CONFIGURATION.map(([words, ...told]): Wrong => [['--before', '1h ago', ...words], ...told]),
  ],
  'audit restore': () => [
    ...ledgers('--reason', 'x'),
    [[], 2, 'audit restore needs --reason', 'must learn why', '--reason '],
    [['--reason', ''], 2, '--reason needs a value', 'what follows it is empty', 'write --reason=TEXT'],
    [['--reason', 'x'.repeat(1001)], 2, '--reason of 1001 characters', 'at most 1000', '--reason '],
    [['--reason', 'x', '--checkpoint', at('none')], 2, 'is not a checkpoint', 'no such file', 'this user may read'],
    [['--reason', 'x', '--checkpoint', at('huge')], 2, 'is not a checkpoint', 'larger than', 'nothing else'],
    [['--reason', 'x', '--checkpoint', at('a-file')], 2, 'This is no signed checkpoint.', 'no empty line', 'whole text'],
    [['--reason', 'x', '--checkpoint', directory], 2, 'is not a checkpoint', 'it is no ordinary file', 'this user may read'],
  ],
  '': () => [
    [['audit'], 2, '"audit" alone is no command', 'it needs one of log, status, verify', 'sentinelcli audit --help'],
    [['audit', 'key'], 2, '"audit key" alone is no command', 'it needs one of export, rotate', 'sentinelcli audit --help'],
    [['audit', 'key', 'rotte'], 2, 'unknown command "audit key rotte"', '"audit key" has export, rotate', 'audit key rotate"?'],
    [['audit', 'prov'], 2, 'unknown command "audit prov"', '"audit" has log, status', 'did you mean "sentinelcli audit prove"?'],
    [['audit', 'keys'], 2, 'unknown command "audit keys"', '"audit" has log, status', 'did you mean "sentinelcli audit key"?'],
  ],
};

describe('a wrong use of audit', () => {
  it('is tried ten times of every command', () => {
    const names = COMMANDS.map(({ name }) => name).filter((name) => name.startsWith('audit '));
    expect(Object.keys(WRONG)).toEqual(expect.arrayContaining(names));
    for (const name of names) expect([name, (WRONG[name]?.() ?? []).length >= 10]).toEqual([name, true]);
  });

  it.each(Object.keys(WRONG))('of "%s" is told in three lines: what, why, what to do', async (command) => {
    await expectTold(installation, command, WRONG[command]?.() ?? []);
  });
});
