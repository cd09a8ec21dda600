import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const QUERY = `SELECT pid, name, parent_name AS reason, seq FROM process_events
WHERE seq > :since_seq AND name IN ('sh', 'bash')
  AND (reason = 'x' OR parent_name LIKE '%nginx%' OR pid < 0 OR pid = 1 OR pid = 2 OR pid = 3)
  AND exe_path IS NOT NULL AND pid NOT IN (SELECT pid FROM processes)`;

function addRule(version: number, sql = QUERY): void {
  installation.changeDatabase(
    installation.paths.agentDb,
    `INSERT INTO detection_rules (id, name, version, sql_query) VALUES ('shell-from-service', 'Shell', ${version}, '${sql.replaceAll("'", "''")}')`,
  );
}

const unwrapped = (text: string): string => text.replaceAll(/\s+/g, ' ');

describe('alerts why', () => {
  it('tells which conditions held, with what values, and which cannot be told', async () => {
    installation.makeAgent([{ query_result: JSON.stringify([{ pid: 42, name: 'bash', reason: 'parent is nginx' }]) }]);
    addRule(3);
    const { status, out } = await installation.run(['alerts', 'why', '1'], { columns: 120 });
    expect(status).toBe(0);
    const text = unwrapped(out);
    for (const part of [
      'HIGH Shell below a service: bash (pid 42)',
      'shell-from-service version 3: Shell below a service',
      '? seq > :since_seq (what :since_seq was then is not kept)',
      "+ name IN ('sh', 'bash') [name=\"bash\"]",
      '+ one of',
      '+ parent_name LIKE \'%nginx%\' [reason="parent is nginx"]',
      '- pid < 0 [pid=42]',
      '- and 2 more that did not hold',
      '? exe_path IS NOT NULL (the finding does not tell exe_path)',
      '? pid NOT IN (SELECT pid FROM processes) (it looks at other rows, as they were then)',
      'query of 4 lines SELECT pid, name, parent_name AS reason, seq FROM process_events',
      'coverage not known: nothing recorded yet: there is no events.db',
      'parent then: 9 nginx -g daemon',
      'the first alert of this rule',
    ])
      expect(text).toContain(part);
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([expect.stringMatching(/^ {4}AND \(reason/)]);
  });

  it('tells ancestry and coverage of the scan, the entry of the ledger and alerts before it', async () => {
    const process = {
      pid: 42,
      startTimeMs: NOW_MS - 700_000,
      name: 'bash',
      exePath: null,
      argv: null,
      user: null,
      ppid: 9,
      parentName: null,
    };
    installation.makeAgent([{}, { repeats: 2 }, { scan_id: 1, affected_processes: JSON.stringify([process]) }]);
    addRule(3, 'SELECT pid FROM processes WHERE pid = 42 AND 1 = 2');
    installation.makeHistory([
      {
        atMs: NOW_MS - 650_000,
        processes: [
          { pid: 1, name: 'init' },
          { pid: 9, ppid: 1, name: 'nginx', argv: ['nginx', '-g', '\u001b[2J'] },
          { pid: 42, ppid: 9, name: 'bash', argv: ['bash', '-c', 'id'], startMs: NOW_MS - 700_000 },
        ],
      },
    ]);
    installation.makeSignedLedger(5);
    const { status, out } = await installation.run(['alerts', 'why', 'newest'], { columns: 120 });
    expect(status).toBe(0);
    expect(out).toMatch(/ancestry {4}1 .* init\n {12}9 .* nginx -g '?\\x1b\[2J'?\n {12}42 .* bash -c id\n/);
    expect(out).toContain('conditions  + pid = 42 [pid=42]\n            - 1 = 2\n');
    expect(out).toContain('coverage    ');
    expect(out).toContain('not known: the ledger has no entry of it');
    expect(unwrapped(out)).toMatch(/before 2 \S+ Shell below a service: bash \(pid 42\), seen 3 times 1 \S+ Shell/);
    const found = JSON.parse((await installation.run(['alerts', 'why', '3', '--json'])).out) as Record<string, unknown>;
    expect(found).toMatchObject({
      alert: { id: 3 },
      rule: {
        conditions: [
          { kind: 'all', held: false, parts: [{ kind: 'test', text: 'pid = 42', held: true, values: { pid: 42 } }, { held: false }] },
        ],
      },
      ancestry: [{ pid: 1 }, { pid: 9, argv: ['nginx', '-g', '\u001b[2J'] }, { pid: 42, ppid: 9 }],
      coverage: { scan_id: 1 },
      ledger: { not_known: expect.stringContaining('archived') },
      before: { count: 2, newest: [{ id: 2 }, { id: 1 }] },
    });
  });

  it('does not take another process of the same pid for it', async () => {
    installation.makeAgent([{ scan_id: 1 }]);
    installation.makeHistory([{ atMs: NOW_MS - 650_000, processes: [{ pid: 42, name: 'bash', startMs: NOW_MS - 660_000 }] }]);
    const { out } = await installation.run(['alerts', 'why', '1'], { columns: 120 });
    expect(out).toContain('not known: in scan 1 another process had the pid 42');
    expect(out).toContain('conditions  not known: the rule is not there any more');
  });

  it('does not judge by the text of another version', async () => {
    installation.makeAgent([{}]);
    addRule(4);
    const { out } = await installation.run(['alerts', 'why', '1']);
    expect(unwrapped(out)).toContain('not known: it was version 3, and version 4 is there now');
  });
});
