import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeStateLock } from '@sentineld/runtime/lifecycle/state-lock';
import { ROOT, removeDirectory, temporaryDirectory, type Finished } from './installation.ts';

/** What is typed, the exit status, and what each of the three lines must hold. Commands of sentinelcli are tried in its own package. */
type Wrong = readonly [words: readonly string[], status: number, what: string, why: string, hint: string];

/** As it names itself, and what Node is given to run it. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  procmond: [join(ROOT, 'build', 'programs', 'procmond.js')],
  sentinelagent: [join(ROOT, 'build', 'programs', 'sentinelagent.js')],
  'pnpm start': ['--conditions=sentineld-source', 'scripts/start.ts'],
  'pnpm bench': ['--conditions=sentineld-source', 'scripts/bench.ts'],
  'pnpm conformance': ['--conditions=sentineld-source', 'scripts/conformance.ts'],
  'pnpm fault': ['--conditions=sentineld-source', 'scripts/fault.ts'],
};
const AT_ONCE = 3;

const directory = temporaryDirectory();
const open = join(directory, 'open');
const file = join(directory, 'file');
const tabs = join(directory, 'tabs.yaml');
const held = join(directory, 'held');

/** Wrong uses of a program that reads a configuration and writes a state directory. */
function writer(program: string, words: readonly string[]): readonly Wrong[] {
  const takes = `${program} takes --config`;
  return [
    [[...words, '--conifg', file], 2, 'unknown option --conifg', takes, 'did you mean --config?'],
    [[...words, '--state-dir', ''], 2, '--state-dir needs a value', 'an empty one', 'write --state-dir=DIR'],
    [[...words, '--set', 'x'], 2, '--set x: not taken', 'KEY=VALUE', '--set collection.interval=2s'],
    [[...words, '--set', 'collection.interval=5'], 3, '--set collection.interval: not taken', 'such as 500ms', 'docs/configuration.md'],
    [[...words, '--config', directory], 3, 'is no configuration file', 'it is a directory', 'give a small YAML file'],
    [[...words, '--config', tabs], 3, 'tabs.yaml:2:1: not valid YAML', 'Tabs are not allowed', 'mend the line'],
    [[...words, '--state-dir', join(file, 'x')], 4, 'cannot be made', 'a part of the path is no directory', '--state-dir DIR'],
    [[...words, '--state-dir', open], 4, 'can be written by its group or by others', 'could change what is recorded', 'chmod'],
  ];
}

const WRONG: Readonly<Record<string, readonly Wrong[]>> = {
  procmond: [
    ...writer('procmond', ['run', '--once']),
    [['rnu'], 2, 'unknown command "rnu"', 'procmond knows run, self-check', 'did you mean "procmond run"?'],
    [['self-check', '--once'], 2, '--once does not go with "self-check"', 'about "procmond run" alone', 'leave it out'],
    [['run', '\u001b[2J'], 2, 'unknown command "\\x1b[2J"', 'procmond knows run', 'procmond --help'],
  ],
  sentinelagent: [
    ...writer('sentinelagent', ['run']),
    [['run', 'run'], 2, '"run" is one word too many', 'sentinelagent takes one word', 'leave it out'],
    [['run', '--supervised=yes'], 2, '--supervised=yes: not taken', '--supervised takes no value', 'write --supervised alone'],
  ],
  'pnpm start': [
    ...writer('pnpm start', []),
    [['now'], 2, '"now" is one word too many', 'no words, options alone', 'pnpm start --help'],
    [['--state-dir', held], 4, `start.lock is held by start, pid ${process.pid}`, 'it runs since', `kill ${process.pid}`],
  ],
  'pnpm bench': [
    [[], 2, 'pnpm bench needs the name of a benchmark', 'one of enumerate, events, ledger, memory', 'pnpm bench enumerate --quick'],
    [['enumerte'], 2, 'unknown command "enumerte"', 'pnpm bench knows enumerate', 'did you mean "pnpm bench enumerate"?'],
    [['memory', 'store'], 2, '"store" is one word too many', 'pnpm bench takes one word', 'leave it out'],
    [['--fast', 'store'], 2, 'unknown option --fast', 'pnpm bench takes --quick', 'pnpm bench --help'],
    [['memory', '--quik'], 2, 'unknown option --quik', 'pnpm bench takes --quick', 'did you mean --quick?'],
    [['memory', '--minutes', '0'], 2, '--minutes 0: not taken', 'a whole number from 1 to 1440', '--minutes 1'],
    [['memory', '--minutes=-5'], 2, '--minutes -5: not taken', 'a whole number', '--minutes 1'],
    [['memory', '--minutes'], 2, '--minutes needs a value', 'N stands for it', 'write --minutes=N'],
    [
      ['store', '--minutes', '5'],
      2,
      '--minutes does not go with "store"',
      'about "pnpm bench memory" and "pnpm bench soak" alone',
      'leave it out',
    ],
    [['memory', '--quick=1'], 2, '--quick=1: not taken', '--quick takes no value', 'write --quick alone'],
  ],
  'pnpm conformance': [
    [[], 2, 'pnpm conformance needs the name of a suite', 'one of sql, crypto, schema, sigma, atomics, all', 'pnpm conformance all'],
    [['sq'], 2, 'unknown command "sq"', 'pnpm conformance knows sql', 'did you mean "pnpm conformance sql"?'],
    [['constructor'], 2, 'unknown command "constructor"', 'pnpm conformance knows sql', 'pnpm conformance --help'],
    [['sql', 'crypto'], 2, '"crypto" is one word too many', 'takes one word', 'leave it out'],
    [['sql', '--corpora'], 2, '--corpora needs a value', 'DIR stands for it', 'write --corpora=DIR'],
    [['sql', '--corpora='], 2, '--corpora needs a value', 'an empty one', 'write --corpora=DIR'],
    [['sql', '--jsn'], 2, 'unknown option --jsn', 'pnpm conformance takes --corpora', 'did you mean --json?'],
    [['sql', '--json=no'], 2, '--json=no: not taken', '--json takes no value', 'write --json alone'],
    [['sql', '-q'], 2, 'unknown option -q', 'pnpm conformance takes', 'pnpm conformance --help'],
    [['\u0007'], 2, 'unknown command "\\x07"', 'pnpm conformance knows', 'pnpm conformance --help'],
  ],
  'pnpm fault': [
    [[], 2, 'pnpm fault needs the name of a fault', 'one of kill', 'pnpm fault kill --quick'],
    [['kil'], 2, 'unknown command "kil"', 'pnpm fault knows kill', 'did you mean "pnpm fault kill"?'],
    [['kill', 'nope'], 2, 'unknown command "nope"', 'pnpm fault knows kill', ''],
    [['kill', '--seed', 'x'], 2, '--seed x: not taken', 'a whole number from 0', '--seed 0'],
    [['kill', '--rounds', '0'], 2, '--rounds 0: not taken', 'a whole number from 1', '--rounds 1'],
    [['kill', '--rounds=-1'], 2, '--rounds -1: not taken', 'a whole number from 1', '--rounds 1'],
    [['kill', '--rounds', '1e3'], 2, '--rounds 1e3: not taken', 'a whole number from 1', '--rounds 1'],
    [['kill', '--programs', '/nowhere'], 2, '--programs /nowhere: not taken', 'no procmond.js in it', 'build/programs'],
    [['kill', '--programs'], 2, '--programs needs a value', 'DIR stands for it', 'write --programs=DIR'],
    [['kill', '--programs', directory, '--no-build'], 2, '--programs and --no-build exclude each other', 'each says', 'one of them'],
    [['kill', '--quikc'], 2, 'unknown option --quikc', 'pnpm fault takes --quick', 'did you mean --quick?'],
  ],
};

const ended = new Map<Wrong, Finished>();

beforeAll(async () => {
  mkdirSync(open, { mode: 0o755 });
  chmodSync(open, 0o777);
  writeFileSync(file, '');
  writeFileSync(tabs, 'log:\n\tlevel: debug\n');
  holdLock();
  const waiting = Object.entries(WRONG).flatMap(([program, uses]) => uses.map((use) => ({ program, use })));
  const runner = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      ended.set(next.use, await run([...(PROGRAMS[next.program] ?? []), ...next.use[0]]));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
}, 120_000);
afterAll(() => removeDirectory(directory));

/** As `pnpm start` would hold it, by this process. */
function holdLock(): void {
  mkdirSync(held, { mode: 0o755 });
  takeStateLock(join(held, 'start.lock'), 'start');
}

function run(nodeArguments: readonly string[]): Promise<Finished> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...nodeArguments], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (bytes: Buffer) => (text.stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (text.stderr += bytes.toString()));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, ...text })));
}

describe.each(Object.entries(WRONG))('%s', (program, uses) => {
  it('is tried with ten wrong uses', () => {
    expect(uses.length).toBeGreaterThanOrEqual(10);
  });

  it.each(uses)('%j ends with %d, and says what, why and what to do', (...use) => {
    const [words, status, ...parts] = use;
    const finished = [...ended].find(([one]) => one[0] === words)?.[1];
    expect([finished?.status, finished?.stdout]).toEqual([status, '']);
    const lines = (finished?.stderr ?? '').split('\n');
    expect([lines.length, lines.at(-1)]).toEqual([4, '']);
    expect(lines[0]?.startsWith(`${program}: `)).toBe(true);
    for (const line of lines.slice(1, 3)) expect(line).toMatch(/^ {2}\S/);
    parts.forEach((part, at) => expect(lines[at]).toContain(part));
  });
});
