import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const raise = (id: number, severity: string): void =>
  installation.changeDatabase(
    installation.paths.agentDb,
    `INSERT INTO alerts SELECT * FROM alerts WHERE id = 1; UPDATE alerts SET id = ${id}, severity = '${severity}', title = 'no ${id}' || char(10) WHERE rowid = last_insert_rowid()`,
  );
const ids = (out: string): (string | undefined)[] => [...out.matchAll(/^\S+ +(\d+) /gm)].map(([, id]) => id);

describe('alerts tail', () => {
  it('begins with the newest and goes on with each that is raised, once', async () => {
    installation.makeAgent([{}, { severity: 'low' }, {}]);
    const running = installation.run(['alerts', 'tail', '--lines', '2', '--for', '2500ms']);
    await pause(700);
    raise(4, 'critical');
    raise(5, 'low');
    await pause(700);
    raise(6, 'medium');
    const { status, out } = await running;
    expect([status, ids(out)]).toEqual([0, ['2', '3', '4', '5', '6']]);
    expect(out).toMatch(/^2026-01-01T00:50:00\+00:00 {7}4 {2}CRITICAL {2}shell-from-service {2}no 4\\n$/m);
  });

  it('shows what is asked for alone, and JSON lines', async () => {
    installation.makeAgent([{}, { severity: 'low' }]);
    const words = ['alerts', 'tail', '--min-severity', 'high', '--lines', '0', '--json', '--for', '1200ms'];
    const running = installation.run(words);
    await pause(200);
    for (let id = 10; id < 130; id++) raise(id, id % 2 === 0 ? 'high' : 'medium');
    const { out } = await running;
    const alerts = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: number });
    expect(alerts.map(({ id }) => id)).toEqual(Array.from({ length: 60 }, (_, at) => 10 + 2 * at));
    expect(alerts[0]).toMatchObject({ severity: 'high', time: new Date(NOW_MS - 600_000).toISOString() });
  });

  it('says where there is nothing to follow', async () => {
    expect(await installation.run(['alerts', 'tail', '--for', '1s'])).toMatchObject({
      status: 4,
      err: expect.stringContaining('nothing recorded yet'),
    });
  });
});
