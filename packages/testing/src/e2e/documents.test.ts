import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeDirectory, ROOT, startInstallation, temporaryDirectory, type Finished, type Installation } from './installation.ts';

let directory = '';
let installation: Installation;

beforeAll(async () => {
  directory = temporaryDirectory();
  // The documents say nothing of a state directory, so the default one is moved by the variable that is made for it.
  installation = startInstallation(join(directory, 'sentineld'), ['--set', 'collection.interval=500ms']);
  await installation.waitFor(/Alerts follow as they come/);
});
afterAll(async () => {
  endProbes();
  await installation.stop();
  removeDirectory(directory);
});

/** The probe of the tour outlives its shell. */
function endProbes(): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readlinkSync(`/proc/${name}/exe`) === '/tmp/probe (deleted)') process.kill(Number(name), 'SIGKILL');
    } catch {
      // Not ours to look at, or gone.
    }
  }
}

/** Runs a line as a person would who has the programs on their path; `cwd` is the checkout for the tour, a scratch folder otherwise. */
function shell(command: string, cwd: string, stdio: 'pipe' | 'ignore' = 'pipe'): Finished {
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['-c', command], {
    cwd,
    stdio,
    encoding: 'utf8',
    env: {
      ...process.env,
      NO_COLOR: '1',
      // Wide enough for any path: what is cut is told on standard error.
      COLUMNS: '400',
      XDG_STATE_HOME: directory,
      PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`,
    },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** The lines that a document shows after a prompt, and those of its blocks of shell. */
function commandsOf(document: string): readonly string[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const prompts = [...text.matchAll(/^```console\n([^]*?)^```/gm)].flatMap(([, block]) =>
    (block ?? '')
      .split('\n')
      .filter((line) => line.startsWith('$ '))
      .map((line) => line.slice(2)),
  );
  const scripts = [...text.matchAll(/^```sh\n([^]*?)^```/gm)].flatMap(([, block]) =>
    (block ?? '').split('\n').filter((line) => line !== ''),
  );
  return [...prompts, ...scripts];
}

const tour = commandsOf('README.md').filter((command) => !command.startsWith('npx '));
const needsJq = (command: string): boolean => command.includes('jq');
const hasJq = spawnSync('jq', ['--version']).status === 0;

describe('the README', () => {
  it('shows ten lines', () => {
    expect(tour).toHaveLength(10);
  });

  it.each(tour)('%s', (command) => {
    if (needsJq(command) && !hasJq) return console.log(`not run, jq is not installed: ${command}`);
    if (command.startsWith('PATH=')) return undefined;
    // What it leaves running in the background would keep a pipe open.
    if (command.startsWith('cp ')) return expect(shell(command, ROOT, 'ignore').status).toBe(0);
    const { status, stderr, stdout } = shell(command, ROOT);
    expect(`${status} ${withoutNotes(stderr)}`).toBe('0 ');
    expect(stdout.length).toBeGreaterThan(20);
    return undefined;
  });

  it('shows the lines that a start prints', () => {
    const shown = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const topics = [...installation.output().matchAll(/^ {2}(\w[\w ]{1,8}) {2,}/gm)].map(([, topic]) => topic?.trim());
    for (const topic of new Set(topics)) expect(shown).toContain(`  ${topic}`);
  });
});

const RECORDED = {
  event_id: 'e1',
  pid: 7,
  ppid: 1,
  name: 'id',
  Image: '/usr/bin/id',
  argv: ['id'],
  CommandLine: 'id',
  ParentImage: '/usr/bin/dash',
};

function sigmaRule(name: string): string {
  const id = createHash('sha256')
    .update(name)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
  return `title: ${name}
id: ${id}
status: test
level: low
logsource: { product: linux, category: process_creation }
detection:
  selection: { Image|endswith: '/nothing-of-this-name' }
  condition: selection
`;
}

describe('docs/cli.md', () => {
  let scratch = '';
  beforeAll(() => {
    scratch = join(directory, 'scratch');
    mkdirSync(join(scratch, 'my-rules'), { recursive: true });
    const rules = join(ROOT, 'packages', 'detection', 'rules', 'impact');
    for (const name of ['cryptocurrency-miner.yaml', 'cryptocurrency-miner.case.yaml'])
      copyFileSync(join(rules, name), join(scratch, 'my-rules', name));
    copyFileSync(join(rules, 'cryptocurrency-miner.yaml'), join(scratch, 'one.yaml'));
    copyFileSync(join(rules, 'cryptocurrency-miner.yaml'), join(scratch, 'my-rule.yaml'));
    mkdirSync(join(scratch, 'sigma/rules/linux'), { recursive: true });
    for (const name of ['one.yml', 'another.yml', 'sigma/rules/linux/third.yml']) writeFileSync(join(scratch, name), sigmaRule(name));
    writeFileSync(join(scratch, 'recorded.jsonl'), `${JSON.stringify(RECORDED)}\n`);
    writeFileSync(join(scratch, 'config.yaml'), 'collection:\n  interval: 5s\n');
    // What was put away elsewhere when the ledger was new.
    shell('sentinelcli audit key export > ledger.keys; sentinelcli audit checkpoint > kept-elsewhere.txt', scratch);
  });

  it.each(commandsOf('docs/cli.md'))('%s', { retry: 1 }, (command) => {
    if (needsJq(command) && !hasJq) return console.log(`not run, jq is not installed: ${command}`);
    const { status, stderr } = shell(command, scratch);
    expect(`${status} ${withoutNotes(stderr)}`).toBe('0 ');
    return undefined;
  });
});

describe('docs/operator_guide.md', () => {
  afterAll(() => rmSync(join(ROOT, 'web-1.keys'), { force: true }));

  it.each(commandsOf('docs/operator_guide.md'))('%s', { retry: 1 }, (command) => {
    const { status, stderr } = shell(command, ROOT);
    expect(`${status} ${withoutNotes(stderr)}`).toBe('0 ');
  });
});

/** Of the past it is said of which scan, of a tree how much of it is not shown, of many rows how many, and of long texts that they are cut. */
function withoutNotes(stderr: string): string {
  return stderr
    .replace(/^as of scan \d+, .*\n/, '')
    .replace(/^\d+ more process(es)? .* --depth N shows more\n/, '')
    .replace(/^only the first \d+ rows are shown.*\n/, '')
    .replace(/^… marks what was cut to fit.*\n/, '')
    .replace(/^only the newest \d+ are shown.*\n/, '')
    .replace(/^entries \d+ to \d+ \(\d+\).* and \d+ checkpoints?.*\n/, '')
    .replace(/^No checkpoint that is known elsewhere contradicts the ledger.*\n/, '');
}

describe('docs/rules.md', () => {
  let scratch = '';
  beforeAll(() => {
    scratch = join(directory, 'rules-scratch');
    mkdirSync(join(scratch, 'my-rules'), { recursive: true });
    const blocks = [...readFileSync(join(ROOT, 'docs/rules.md'), 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text ?? '');
    const [rule = '', cases = '', eventCases = '', eventRule = ''] = blocks;
    for (const [id, text, itsCases] of [
      ['shell-of-backup-user', rule, cases],
      ['sleep-of-a-day', eventRule, eventCases],
    ] as const) {
      writeFileSync(join(scratch, 'my-rules', `${id}.yaml`), text, { mode: 0o644 });
      writeFileSync(join(scratch, 'my-rules', `${id}.case.yaml`), itsCases, { mode: 0o644 });
    }
  });

  it.each(commandsOf('docs/rules.md'))('%s', { retry: 1 }, (command) => {
    const { status, stderr, stdout } = shell(command, scratch);
    expect(`${status} ${withoutNotes(stderr)}`).toBe('0 ');
    if (command.includes('rules validate')) expect(stdout).toContain('2 accepted');
    if (command.includes('rules test')) expect(stdout).toContain('3 passed, 0 failed');
  });
});

describe.each(['docs/ledger-format.md', 'docs/schema.md', 'docs/configuration.md', 'docs/alerts.md'])('%s', (document) => {
  it('shows no command, so none can be wrong', () => {
    expect(commandsOf(document)).toEqual([]);
  });
});
