import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('alerts show', () => {
  it('tells what, when, where, why, who and whom', async () => {
    installation.makeAgent([{ repeats: 1 }]);
    installation.changeDatabase(
      installation.paths.agentDb,
      `INSERT INTO alert_deliveries VALUES (1, 1, 'stdout', 'stdout', ${NOW_MS}, 1, 'success', 3, NULL, NULL), (2, 1, 'hook', 'webhook', ${NOW_MS}, 3, 'failed', 9, 'answer was ' || char(27) || '[2J', 500)`,
    );
    const { status, out } = await installation.run(['alerts', 'show', '1']);
    expect(status).toBe(0);
    for (const part of [
      'HIGH  Shell below a service: bash (pid 42)',
      '(10 min ago)',
      'seen 1 time more',
      'web-1',
      'shell-from-service version 3',
      'T1059.004 https://attack.mitre.org/techniques/T1059/004/',
      'why         A shell was started by a network service.',
      '- pid=42, reason="parent is nginx"',
      'process     bash (pid 42), user www-data',
      "arguments bash -c 'id; uname'",
      'parent    nginx (pid 9), /usr/sbin/nginx: nginx -g daemon',
      'stdout: success in 3 ms, 1 attempt',
      'HTTP 500: answer',
      '\\x1b[2J',
      'scan-1; scan 7; the rule ran 2 ms',
    ]) {
      expect(out.replaceAll(/\n {12}/g, ' ')).toContain(part);
    }
    expect(lines(out).every((line) => line.length <= 80)).toBe(true);
    expect(json((await installation.run(['alerts', 'show', '1', '--json'])).out)).toMatchObject({
      id: 1,
      repeats: 1,
      processes: [{ pid: 42 }],
      deliveries: [{ sink: 'stdout' }, { sink: 'hook', http_status: 500 }],
    });
  });

  it('shows what is not known as such', async () => {
    const nobody = {
      pid: 1,
      startTimeMs: null,
      name: '',
      exePath: null,
      argv: null,
      user: null,
      ppid: null,
      parentName: null,
      parentExe: null,
      parentCmdline: null,
    };
    installation.makeAgent([
      {
        affected_processes: JSON.stringify([nobody]),
        process_count: 30,
        query_result: 'not json',
        attack: '{}',
        scan_id: null,
        description: '',
      },
    ]);
    const { status, out } = await installation.run(['alerts', 'show', '1']);
    expect(status).toBe(0);
    expect(out).toContain('program   unknown: it could not be read');
    expect(out).toContain('and 29 more processes');
    expect(out).toContain('to no sink');
  });

  it('refuses what is no number, or of no alert', async () => {
    installation.makeAgent([]);
    expect(await installation.run(['alerts', 'show', 'x'])).toMatchObject({ status: 2, out: '' });
    expect((await installation.run(['alerts', 'show', '7', '--json'])).err).toBe(
      '{"error":{"code":"usage.invalid","message":"there is no alert 7","why":"no alert of this number was raised here","hint":"sentinelcli alerts list shows those there are"}}\n',
    );
  });

  it('says that nothing was recorded yet', async () => {
    const { status, err } = await installation.run(['alerts', 'list']);
    expect(status).toBe(4);
    expect(err).toContain('nothing recorded yet: there is no agent.db');
    expect(err).toContain('start it (from a checkout: npx -y pnpm@12.21.0 start)');
  });
});
