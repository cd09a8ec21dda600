import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('alerts list', () => {
  beforeEach(() => {
    installation.makeAgent([
      { severity: 'low', rule_id: 'a-rule', alert_time: NOW_MS - 7_200_000, last_seen: NOW_MS - 7_200_000 },
      { severity: 'critical', rule_id: 'b-rule', repeats: 4 },
      {
        affected_processes: JSON.stringify([
          {
            pid: 1,
            name: 'e\u001b[2Jvil\n',
            startTimeMs: null,
            exePath: null,
            argv: null,
            user: null,
            ppid: null,
            parentName: null,
            parentExe: null,
            parentCmdline: null,
          },
        ]),
        process_count: 3,
      },
    ]);
  });
  const ids = async (...words: string[]): Promise<unknown> => {
    const { out } = await installation.run(['alerts', 'list', '--json', ...words]);
    return (json(out) as { id: number }[]).map(({ id }) => id);
  };

  it('shows the newest first, within 80 columns, safe to look at', async () => {
    const { status, out } = await installation.run(['alerts', 'list']);
    expect(status).toBe(0);
    expect(lines(out)).toHaveLength(4);
    expect(lines(out)[1]).toMatch(/^ 3 .* high .* 1 {2}shell-from-service {2}1 e\\x1b\[2Jvil\\n an…$/);
    expect(lines(out)[2]).toMatch(/critical {5}5 {2}b-rule/);
    expect(lines(out).every((line) => line.length <= 80)).toBe(true);
  });

  it('is filtered', async () => {
    expect(await ids()).toEqual([3, 2, 1]);
    expect(await ids('--severity', 'low')).toEqual([1]);
    expect(await ids('--min-severity', 'high')).toEqual([3, 2]);
    expect(await ids('--rule', 'b-rule')).toEqual([2]);
    expect(await ids('--since', '1h')).toEqual([3, 2]);
    expect(await ids('--severity', 'low', '--since', '1h')).toEqual([]);
    expect(await ids('--limit', '1')).toEqual([3]);
  });

  it('counts repeats that are still kept apart', async () => {
    installation.changeDatabase(installation.paths.agentDb, `INSERT INTO alert_dedup VALUES (1, 9, ${NOW_MS - 1000})`);
    const { out } = await installation.run(['alerts', 'list', '--json', '--rule', 'a-rule']);
    expect(json(out)).toMatchObject([{ id: 1, repeats: 9, last_seen: new Date(NOW_MS - 1000).toISOString(), rule: { id: 'a-rule' } }]);
    expect(await ids('--since', '1h')).toEqual([3, 2, 1]);
  });

  it('says where it was cut, and that there is none', async () => {
    expect((await installation.run(['alerts', 'list', '--limit', '2'])).err).toBe('only the newest 2 are shown; --limit N shows more\n');
    expect((await installation.run(['alerts', 'list', '--rule', 'none'])).out).toBe('no alerts\n');
  });
});
