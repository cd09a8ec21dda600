import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from './commands/registry.ts';
import { NOW_MS, createInstallation, type Installation } from './fixtures/installation.ts';
import { CONFIGURATION, START, everywhere, expectTold, type Wrong } from './fixtures/wrong-use.ts';

let installation: Installation;
/** An installation on which nothing has run. */
let empty: Installation;
let directory = '';
const at = (name: string): string => join(directory, name);

beforeAll(() => {
  installation = createInstallation();
  installation.makeHistory([{ atMs: NOW_MS - 60_000, processes: [{ pid: 1, name: 'init' }] }]);
  installation.makeAgent([{}]);
  installation.makeLedger(2);
  empty = createInstallation();
  directory = mkdtempSync(join(tmpdir(), 'sentineld-wrong-use-'));
  makeFiles();
});
afterAll(async () => {
  await installation.close();
  await empty.close();
  rmSync(directory, { recursive: true });
});

function makeFiles(): void {
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'a-file': '',
    'tabs.yaml': 'log:\n\tlevel: debug\n',
    'twice.yaml': 'log:\n  level: debug\n  level: info\n',
    'unknown.yaml': '\uFEFFlog:\n  levl: debug\n',
    'unit.yaml': 'collection:\n  interval: 5\n',
    'list.yaml': '- log\n',
    'dotted.yaml': 'log.level: debug\n',
    'section.yaml': 'log: debug\n',
    'latin1.yaml': Buffer.from('log: {level: "d\xe9bug"}\n', 'latin1'),
    'huge.yaml': '#'.repeat(1_048_577),
    'two-faults.yaml': 'log: {level: loud}\ncollection: {hash: perhaps}\n',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content);
  mkdirSync(at('damaged/agent'), { recursive: true });
  mkdirSync(at('damaged/ledger'));
  mkdirSync(at('damaged/events/events.db'), { recursive: true });
  writeFileSync(at('damaged/agent/agent.db'), 'no database'.repeat(100));
  writeFileSync(at('damaged/ledger/ledger.db'), '');
}

const TABLES = 'docs/schema.md has the tables and columns';

const WRONG: Readonly<Record<string, () => readonly Wrong[]>> = {
  health: () => [
    ...everywhere('health'),
    ...CONFIGURATION,
    [['now'], 2, '"now" is one word too many', 'health takes no words', 'sentinelcli health --help'],
    [['--severity', 'high'], 2, '--severity is not an option of "health"', 'it belongs to alerts list', 'sentinelcli health --help'],
  ],
  'alerts list': () => [
    [['--severity', 'hgh'], 2, '--severity hgh: not taken', 'one of low, medium, high, critical', 'did you mean --severity high?'],
    [['--min-severity', 'worst'], 2, '--min-severity worst: not taken', 'one of low', '--min-severity critical'],
    [['--severity=low', '--min-severity=low'], 2, '--severity and --min-severity exclude each other', 'one severity', 'one of them'],
    [['--limit', '0'], 2, '--limit 0: not taken', 'a whole number from 1 to 100000', '--limit 50'],
    [['--limit', '-1'], 2, '--limit needs a value', '-1 begins with a dash', 'write --limit=N'],
    [['--limit=-1'], 2, '--limit -1: not taken', 'a whole number from 1', '--limit 50'],
    [['--limit', '1e3'], 2, '--limit 1e3: not taken', 'a whole number from 1', '--limit 50'],
    [['--limit', '9'.repeat(40)], 2, `--limit ${'9'.repeat(40)}: not taken`, 'a whole number from 1', '--limit 50'],
    [['--since', '5'], 2, '--since 5: not taken', 'a number with a unit', '--since 5m'],
    [['--since', '5 fortnights'], 2, '--since 5 fortnights: not taken', 'ms, s, m, h or d', '--since 5m'],
    [['--since', '367d'], 2, '--since 367d: not taken', 'from 1ms to 366d', '--since 5m'],
    [['--rule', ''], 2, '--rule needs a value', 'what follows it is empty', 'write --rule=ID'],
    [['today'], 2, '"today" is one word too many', 'alerts list takes no words', 'sentinelcli alerts list --help'],
    [['--state-dir', at('none')], 4, 'nothing recorded yet: there is no agent.db', 'does not exist', START],
    [['--state-dir', at('a-file')], 4, 'nothing recorded yet', 'is not a directory', START],
    [['--state-dir', empty.paths.root], 4, 'nothing recorded yet', 'sentinelagent makes it, and has not run', START],
    [['--state-dir', at('damaged')], 4, 'agent.db is damaged', '', ''],
  ],
  'alerts show': () => [
    [[], 2, 'alerts show needs ID', 'the number in "alerts list", or newest', 'sentinelcli alerts show --help'],
    [[''], 2, 'ID of alerts show is empty', 'an unset variable', 'sentinelcli alerts show --help'],
    [['first'], 2, '"first" names no alert', 'by its number, or by the word newest', 'sentinelcli alerts list'],
    [['1.5'], 2, '"1.5" names no alert', 'by its number', 'sentinelcli alerts list'],
    [['9'.repeat(40)], 2, 'names no alert', 'by its number', 'sentinelcli alerts list'],
    [['99'], 2, 'there is no alert 99', 'no alert of this number', 'sentinelcli alerts list'],
    [['1', '2'], 2, '"2" is one word too many', 'alerts show takes ID', 'sentinelcli alerts show --help'],
    [['\u001b[2J'], 2, '"\\x1b[2J" names no alert', 'by its number', 'sentinelcli alerts list'],
    [['1', '--state-dir', empty.paths.root], 4, 'nothing recorded yet', 'has not run on', START],
    [['--', '-1'], 2, '"-1" names no alert', 'by its number', 'sentinelcli alerts list'],
  ],
  query: () => [
    [[], 2, 'query needs SQL', 'the statement, between quotes', 'sentinelcli query --help'],
    [[''], 2, 'SQL of query is empty', 'an unset variable', 'sentinelcli query --help'],
    [['SELECT', '1'], 2, '"1" is one word too many', 'query takes SQL', 'put the statement between quotes'],
    [['SELECT nme FROM processes'], 2, 'refused at 1:8 (column)', 'There is no column nme.', 'Did you mean name?'],
    [['SELECT * FROM proceses'], 2, 'refused at 1:15 (table)', 'There is no table proceses.', 'Did you mean processes?'],
    [['SELEC 1'], 2, 'refused at 1:1 (parse)', 'SQLite cannot read this', ''],
    [['DELETE FROM processes'], 2, 'refused at 1:1 (statement)', 'Only a SELECT is run, this is DELETE.', TABLES],
    [['SELECT 1; SELECT 2'], 2, 'refused at 1:11 (statement)', 'more than one statement', 'Write exactly one SELECT.'],
    [["SELECT load_extension('/x')"], 2, '(function)', 'load_extension is not offered', ''],
    [['SELECT 1', '--json=1'], 2, '--json=1: not taken', '--json takes no value', 'write --json alone'],
    [['SELECT 1', '--csv', '--jsonl'], 2, '--jsonl and --csv exclude each other', 'a form of the whole output', 'give one of them'],
    [['SELECT 1', '--param', 'x'], 2, '--param x: not taken', 'NAME=VALUE', '--param pid=1'],
    [['SELECT 1', '--limit', 'all'], 2, '--limit all: not taken', 'a whole number', '--limit 1000'],
    [['SELECT 1', '--at', 'soon'], 2, '--at soon: not taken', "'10 min ago', 14:05", "--at '10 min ago'"],
    [['SELECT 1', '--at', '2026-02-30'], 2, '--at 2026-02-30: not taken', 'no such day', "--at '10 min ago'"],
    [['SELECT 1', '--at', '2999-01-01'], 2, '--at 2999-01-01: not taken', 'in the future, by', "--at '10 min ago'"],
    [['SELECT 1', '--at', '1990-01-01'], 2, 'nothing is kept of that time', 'the oldest scan that is kept is scan', 'ask for that time'],
    [['SELECT 1', '--timeout', '1ms'], 2, '--timeout 1ms: not taken', 'from 100ms to 1h', '--timeout 5m'],
    [['SELECT 1', '--state-dir', empty.paths.root], 4, 'there is no events.db', 'procmond makes it, and has not run', START],
    [['SELECT 1', '--state-dir', at('damaged')], 4, 'there is no events.db', 'events.db is not a file', START],
  ],
  tree: () => [
    [['init'], 2, '"init" names no process', 'by its pid, a whole number above 0', 'sentinelcli tree lists them'],
    [['0'], 2, '"0" names no process', 'a whole number above 0', 'sentinelcli tree lists them'],
    [['1.5'], 2, '"1.5" names no process', 'by its pid', 'sentinelcli tree lists them'],
    [['9'.repeat(40)], 2, 'names no process', 'by its pid', 'sentinelcli tree lists them'],
    [['4711'], 2, 'there is no process 4711 in scan', 'no scan and no event', 'sentinelcli tree lists'],
    [['1', '2'], 2, '"2" is one word too many', 'tree takes PID', 'sentinelcli tree --help'],
    [[''], 2, 'PID of tree is empty', 'an unset variable', 'sentinelcli tree --help'],
    [['--depth', '0'], 2, '--depth 0: not taken', 'a whole number from 1 to 1000', '--depth 64'],
    [['--at', 'yesterday'], 2, '--at yesterday: not taken', "'yesterday 14:05'", "--at '10 min ago'"],
    [['--at', '5 min'], 2, '--at 5 min: not taken', "'10 min ago'", "--at '10 min ago'"],
    [['--at', 'scan 999999'], 2, 'there is no scan 999999', 'are kept', "'scan "],
    [['--at', '\u001b[2J'], 2, '--at \\x1b[2J: not taken', "'10 min ago'", "--at '10 min ago'"],
    [['--format', 'json'], 2, '--format is not an option of "tree"', 'it belongs to export', 'sentinelcli tree --help'],
    [['--state-dir', empty.paths.root], 4, 'there is no events.db', 'procmond makes it, and has not run', START],
    [['--state-dir', at('damaged')], 4, 'there is no events.db', 'events.db is not a file', START],
  ],
  export: () => [
    [[], 2, 'export needs --format', 'one of json, jsonl, csv, sqlite', '--format jsonl'],
    [['--format', 'xml'], 2, '--format xml: not taken', 'one of json, jsonl, csv, sqlite', '--format '],
    [['--format', 'sqlite'], 2, '--format sqlite needs --output', 'a database is a file', 'write --output=FILE'],
    [['--format', 'csv', '--table', 'proceses'], 2, '--table proceses: not taken', 'one of processes', 'did you mean --table processes?'],
    [['--format', 'csv', '--table'], 2, '--table needs a value', 'nothing follows it', 'write --table=NAME'],
    [['--format', 'csv', '--table', 'alerts', '--table', 'coverage'], 2, '--table coverage is one', 'csv holds one table', 'sqlite'],
    [['--format', 'csv', '--from', '1h ago'], 2, '--from does not go with the table processes', 'newest scan alone', 'process_snapshots'],
    [['--format', 'csv', '--table', 'alerts', '--from', 'soon'], 2, '--from soon: not taken', "'scan 123'", "--from '10 min ago'"],
    [['--format', 'csv', '--table', 'alerts', '--from', '1h ago', '--to', '2h ago'], 2, 'not taken', 'end is not after', 'other way round'],
    [['--format', 'csv', '--table', 'coverage', '--to', 'scan 99999'], 2, 'there is no scan 99999', 'are kept', "'scan "],
    [['--format', 'csv', '--force'], 2, '--force needs --output', 'no file to be replaced', 'write --output=FILE'],
    [['--format', 'csv', '--output', directory], 2, 'is in the way', 'it is a directory', 'name of a new file'],
    [['--format', 'csv', '--output', at('a-file')], 2, 'is in the way', 'is not overwritten', '--force'],
    [['--format', 'csv', '--output', at('none/x')], 4, 'cannot be written', 'no such file or directory', 'another place'],
    [['--format', 'csv', '--output', at('a-file/x')], 4, 'cannot be written', 'a part of the path is no directory', 'another place'],
    [['--format', 'csv', '--output', ''], 2, '--output needs a value', 'what follows it is empty', 'write --output=FILE'],
    [['processes', '--format', 'csv'], 2, '"processes" is one word too many', 'export takes no words', 'sentinelcli export --help'],
    [['--format', 'csv', '--state-dir', empty.paths.root], 4, 'there is no events.db', 'procmond makes it, and has not run', START],
  ],
  'rules list': () => [...everywhere('rules list'), ...CONFIGURATION, [['x'], 2, '"x" is one word', 'rules list takes no words', '--help']],
  'rules show': () => [
    ...everywhere('rules show'),
    [[], 2, 'rules show needs ID', 'the id in "rules list"', 'sentinelcli rules show --help'],
    [['deleted-exectuable'], 2, 'there is no rule deleted-exectuable', 'has this id', 'did you mean deleted-executable?'],
    [['a', 'b'], 2, '"b" is one word too many', 'rules show takes ID', 'sentinelcli rules show --help'],
    [['\u202egnp.exe'], 2, 'there is no rule \\u{202e}gnp.exe', 'has this id', 'sentinelcli rules list'],
  ],
  'rules validate': () => [
    ...everywhere('rules validate'),
    [['/nowhere'], 2, '/nowhere cannot be read', 'there is no such file or directory', 'give rule files'],
    [[at('a-file/x')], 2, 'cannot be read', 'a part of the path is no directory', 'give rule files'],
    [[at('a-file'), ''], 2, 'PATH of rules validate is empty', 'an unset variable', 'sentinelcli rules validate --help'],
  ],
  'rules test': () => [
    ...everywhere('rules test'),
    [['/nowhere'], 2, '/nowhere cannot be read', 'there is no such file or directory', 'give rule files'],
    [['x'.repeat(300)], 2, 'cannot be read', 'the path is too long', 'give rule files'],
  ],
  'config show': () => [
    ...everywhere('config show'),
    ...CONFIGURATION,
    [['log.level'], 2, '"log.level" is one word too many', 'config show takes no words', 'sentinelcli config show --help'],
  ],
  'config validate': () => [
    [[at('tabs.yaml')], 3, 'tabs.yaml:2:1: not valid YAML', 'Tabs are not allowed', 'mend the line'],
    [[at('twice.yaml')], 3, 'twice.yaml:3:3: not valid YAML', 'Map keys must be unique', 'mend the line'],
    [[at('unknown.yaml')], 3, 'unknown.yaml:2:3: unknown key log.levl', 'never ignored', 'did you mean log.level?'],
    [[at('unit.yaml')], 3, 'unit.yaml:2:3: collection.interval: not taken', 'a duration such as 500ms', 'docs/configuration.md'],
    [[at('list.yaml')], 3, 'list.yaml:1:1: no mapping', 'a mapping of keys to values', 'write for instance'],
    [[at('dotted.yaml')], 3, 'log.level is written as one key', 'a key of its own', 'one below the other'],
    [[at('section.yaml')], 3, 'log is a section, not a value', 'it holds log.level', 'for instance log.level'],
    [[at('latin1.yaml')], 3, 'latin1.yaml is not text', 'not UTF-8', 'save it as UTF-8'],
    [[at('huge.yaml')], 3, 'huge.yaml is no configuration file', 'larger than 1 MiB', 'give a small YAML file'],
    [[at('two-faults.yaml')], 3, 'log.level: not taken', 'collection.hash must be true or false', 'docs/configuration.md'],
    [[directory], 3, 'is no configuration file', 'it is a directory', 'give a small YAML file'],
    [['/nowhere.yaml'], 3, '/nowhere.yaml: no such file', 'must be there', 'check the path'],
    [['a', 'b'], 2, '"b" is one word too many', 'config validate takes FILE', 'sentinelcli config validate --help'],
    [[''], 2, 'FILE of config validate is empty', 'an unset variable', 'sentinelcli config validate --help'],
  ],
  completion: () => [
    ...everywhere('completion'),
    [['fish'], 2, '"fish" is one word too many', 'completion takes no words', 'sentinelcli completion --help'],
    [['--limit', '5'], 2, '--limit is not an option of "completion"', 'it belongs to', 'sentinelcli completion --help'],
  ],
  '': () => [
    [['helth'], 2, 'unknown command "helth"', 'there are health, alerts', 'did you mean "sentinelcli health"?'],
    [['status'], 2, 'unknown command "status"', 'there are health, alerts', 'did you mean: sentinelcli health'],
    [['version'], 2, 'unknown command "version"', 'there are health', 'did you mean: sentinelcli --version'],
    [['list'], 2, 'unknown command "list"', 'there are health', 'did you mean "sentinelcli alerts list" or "sentinelcli rules list"?'],
    [['constructor'], 2, 'unknown command "constructor"', 'there are health', 'sentinelcli --help lists the commands'],
    [['rules'], 2, '"rules" alone is no command', 'it needs one of list, show, validate, test', 'sentinelcli rules --help'],
    [['rules', 'lst'], 2, 'unknown command "rules lst"', '"rules" has list', 'did you mean "sentinelcli rules list"?'],
    [['help', 'rules', 'lst'], 2, 'unknown command "rules lst"', '"rules" has list', 'did you mean "sentinelcli rules list"?'],
    [['\u0007'], 2, 'unknown command "\\x07"', 'there are health', 'sentinelcli --help'],
    [[''], 2, 'unknown command ""', 'there are health', 'sentinelcli --help'],
    [['--limit', '5'], 2, '--limit needs a command', 'it belongs to alerts list, query', 'sentinelcli --help'],
    [['-v'], 2, 'unknown option -v', 'every command takes', 'did you mean --version?'],
  ],
};

describe('a wrong use', () => {
  it('is tried ten times of every command', () => {
    expect(Object.keys(WRONG)).toEqual(
      expect.arrayContaining(COMMANDS.map(({ name }) => name).filter((name) => !name.startsWith('audit '))),
    );
    for (const [command, uses] of Object.entries(WRONG)) expect([command, uses().length >= 10]).toEqual([command, true]);
  });

  it.each(Object.keys(WRONG))('of "%s" is told in three lines: what, why, what to do', async (command) => {
    await expectTold(installation, command, WRONG[command]?.() ?? []);
  });

  it('is told as one line of JSON where JSON was asked for', async () => {
    const { status, out, err } = await installation.run(['query', 'DROP TABLE processes', '--json']);
    expect([status, out, err.split('\n').length]).toEqual([2, '', 2]);
    expect(JSON.parse(err)).toMatchObject({
      error: { code: 'query.refused', why: expect.stringContaining('Only a SELECT'), hint: expect.stringContaining(TABLES) },
    });
  });

  it('leaves nothing behind', () => {
    expect(existsSync(at('none'))).toBe(false);
  });
});
