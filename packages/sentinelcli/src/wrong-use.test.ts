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
    'sigma.yml':
      'title: t\nid: 00000000-0000-0000-0000-000000000001\nlogsource: {category: process_creation}\ndetection: {s: {Image: x}, condition: s}\n',
    'tabs.yaml': 'log:\n\tlevel: debug\n',
    'twice.yaml': 'log:\n  level: debug\n  level: info\n',
    'unknown.yaml': '\uFEFFlog:\n  levl: debug\n',
    'unit.yaml': 'collection:\n  interval: 5\n',
    'list.yaml': '- log\n',
    'dotted.yaml': 'log.level: debug\n',
    'section.yaml': 'log: debug\n',
    'latin1.yaml': Buffer.from('log: {level: "d\xe9bug"}\n', 'latin1'),
    'huge.yaml': '#'.repeat(1_048_577),
    'events.jsonl': '{"pid":1}\n{"pid":"1"}\n',
    'no-json.jsonl': 'pid: 1\n',
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

/** Of requests that nobody takes, as nothing runs here. */
const NO_AGENT_SAYS = [4, 'sentinelagent does not run here', 'nobody listens on', START] as const;
const NO_AGENT: Wrong = [[], ...NO_AGENT_SAYS];

/** Of a decision about a rule: what is wrong before anybody is asked. */
function decisions(command: string, ...words: readonly string[]): readonly Wrong[] {
  const help = `sentinelcli ${command} --help`;
  return [
    [words, 2, `${command} needs ID`, 'the id in "rules list"', help],
    [['a', ...words], 2, `${command} needs --reason`, 'must learn why', "--reason 'noisy on build hosts"],
    [['a', '--reason', '', ...words], 2, '--reason needs a value', 'what follows it is empty', 'write --reason=TEXT'],
    [['a', '--reason', ' ', ...words], 2, `${command} needs --reason`, 'must learn why', '--reason '],
    [['a', '--reason', 'x'.repeat(501), ...words], 2, '--reason of 501 characters', 'at most 500', '--reason '],
    [['a', 'b', '--reason', 'x', ...words], 2, '"b" is one word too many', `${command} takes ID`, help],
    [['', '--reason', 'x', ...words], 2, `ID of ${command} is empty`, 'an unset variable', help],
    [['x'.repeat(65), '--reason', 'x', ...words], 2, 'an id of 65 characters', 'at most 64', 'sentinelcli rules list'],
    [['a', '--reson', 'x', ...words], 2, 'unknown option --reson', `"${command}" takes`, 'did you mean --reason?'],
  ];
}

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
  'alerts tail': () => [
    [['--min-severity', 'worst'], 2, '--min-severity worst: not taken', 'one of low', '--min-severity critical'],
    [['--severity', 'high'], 2, '--severity is not an option of "alerts tail"', '', ''],
    [['--lines', '-1'], 2, '--lines needs a value', '-1 begins with a dash', 'write --lines=N'],
    [['--lines', '1e3'], 2, '--lines 1e3: not taken', 'a whole number from 0', '--lines 10'],
    [['--lines', '10001'], 2, '--lines 10001: not taken', 'a whole number from 0 to 10000', '--lines 10'],
    [['--for', '5'], 2, '--for 5: not taken', 'a number with a unit', '--for 5m'],
    [['--for', '0s'], 2, '--for 0s: not taken', 'from 1ms to 366d', '--for 5m'],
    [['--rule', ''], 2, '--rule needs a value', 'what follows it is empty', 'write --rule=ID'],
    [['now'], 2, '"now" is one word too many', 'alerts tail takes no words', 'sentinelcli alerts tail --help'],
    [['--state-dir', empty.paths.root], 4, 'nothing recorded yet', 'sentinelagent makes it, and has not run', START],
    [['--state-dir', at('damaged')], 4, 'agent.db is damaged', '', ''],
  ],
  'alerts why': () => [
    [[], 2, 'alerts why needs ID', 'the number in "alerts list", or newest', 'sentinelcli alerts why --help'],
    [[''], 2, 'ID of alerts why is empty', 'an unset variable', 'sentinelcli alerts why --help'],
    [['first'], 2, '"first" names no alert', 'by its number, or by the word newest', 'sentinelcli alerts list'],
    [['1.5'], 2, '"1.5" names no alert', 'by its number', 'sentinelcli alerts list'],
    [['9'.repeat(40)], 2, 'names no alert', 'by its number', 'sentinelcli alerts list'],
    [['99'], 2, 'there is no alert 99', 'no alert of this number', 'sentinelcli alerts list'],
    [['1', '2'], 2, '"2" is one word too many', 'alerts why takes ID', 'sentinelcli alerts why --help'],
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
  'rules import': () => [
    ...everywhere('rules import'),
    [['x.yml'], 2, 'rules import needs --format', 'it is one of sigma', '--format sigma'],
    [['--format', 'sigam', 'x.yml'], 2, '--format sigam: not taken', 'one of sigma', 'did you mean --format sigma?'],
    [['--format', 'sigma', 'x.yml'], 2, 'rules import needs --out', 'becomes a file in that directory', '--out ./sigma-rules'],
    [['--format', 'sigma', '--out', at('none')], 2, 'rules import needs PATH', '', 'sentinelcli'],
    [['--format', 'sigma', '--out', at('none'), '/nowhere'], 2, '/nowhere cannot be read', 'there is no such file', 'give rule files'],
    [['--format', 'sigma', '--out', at('a-file'), at('sigma.yml')], 2, 'a-file: not taken', 'a file, not a directory', 'the directory'],
    [['--format', 'sigma', '--out', at('a-file/x'), at('sigma.yml')], 4, 'the directory cannot be made', 'no directory', 'may write'],
  ],
  'rules test': () => [
    ...everywhere('rules test'),
    [['/nowhere'], 2, '/nowhere cannot be read', 'there is no such file or directory', 'give rule files'],
    [['x'.repeat(300)], 2, 'cannot be read', 'the path is too long', 'give rule files'],
  ],
  'rules reload': () => [
    ...everywhere('rules reload'),
    ...CONFIGURATION,
    NO_AGENT,
    [['now'], 2, '"now" is one word too many', 'rules reload takes no words', 'sentinelcli rules reload --help'],
  ],
  'rules enable': () => [...decisions('rules enable'), [['a', '--reason', 'x'], ...NO_AGENT_SAYS]],
  'rules disable': () => [...decisions('rules disable'), [['a', '--reason', 'x'], ...NO_AGENT_SAYS]],
  'rules reset': () => [...decisions('rules reset'), [['a', '--reason', 'x'], ...NO_AGENT_SAYS]],
  'rules set': () => [
    ...decisions('rules set', '--severity=low'),
    [['a', '--reason', 'x'], 2, 'rules set needs --severity', 'one of low, medium, high, critical', '--severity low'],
    [['a', '--reason', 'x', '--severity', 'hgh'], 2, '--severity hgh: not taken', 'one of low', 'did you mean --severity high?'],
    [['a', '--reason', 'x', '--severity', 'low'], ...NO_AGENT_SAYS],
  ],
  'rules replay': () => [
    ...everywhere('rules replay'),
    [[], 2, 'rules replay needs --events', 'tries rules on recorded events', 'write --events=FILE'],
    [['--events'], 2, '--events needs a value', 'nothing follows it', 'write --events=FILE'],
    [['--events', '/nowhere'], 2, '/nowhere cannot be read', 'there is no such file', 'give a file of recorded events'],
    [['--events', directory], 2, 'cannot be read', 'it is a directory', 'give a file of recorded events'],
    [['--events', at('a-file')], 2, 'a-file holds no event', 'every line of it is empty', 'docs/rules.md has the keys'],
    [['--events', at('events.jsonl')], 2, 'events.jsonl:2: pid is not taken', 'it is not a whole number', 'mend the line'],
    [['--events', at('no-json.jsonl')], 2, 'no-json.jsonl:1: this line is no event', 'not valid JSON', 'mend the line'],
    [['--events', at('events.jsonl'), '--rules', '/nowhere'], 2, '/nowhere cannot be read', 'no such file', 'give rule files'],
    [['--events', at('events.jsonl'), '--since', '1h'], 2, '--since is not an option of "rules replay"', 'it belongs to', '--help'],
  ],
  'rules backtest': () => [
    ...everywhere('rules backtest'),
    ...CONFIGURATION,
    [['/nowhere'], 2, '/nowhere cannot be read', 'there is no such file or directory', 'give rule files'],
    [[''], 2, 'PATH of rules backtest is empty', 'an unset variable', 'sentinelcli rules backtest --help'],
    [['--since', 'soon'], 2, '--since soon: not taken', "'10 min ago', 14:05", "--since '10 min ago'"],
    [['--since', '5 fortnights'], 2, '--since 5 fortnights: not taken', "'10 min ago'", "--since '10 min ago'"],
    [['--since', '1h', '--until', '2h'], 2, '--since and --until: not taken', 'end is not after', 'other way round'],
    [['--until', 'scan 99'], 2, 'there is no scan 99', 'are kept', "'scan 1'"],
    [['--until', '2h'], 2, 'no scan is kept of that time', 'scans are kept from', '--since'],
    [['--events', 'x'], 2, '--events is not an option of "rules backtest"', 'it belongs to rules replay', '--help'],
    [['--state-dir', empty.paths.root], 4, 'there is no events.db', 'procmond makes it, and has not run', START],
    [['--state-dir', at('damaged')], 4, 'there is no events.db', 'events.db is not a file', START],
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
      expect.arrayContaining(
        COMMANDS.map(({ name }) => name).filter(
          (name) => !name.startsWith('audit ') && !/^(rules (verify-)?pack|alerts (ack|(un)?suppress|suppressions))$/.test(name),
        ),
      ),
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
