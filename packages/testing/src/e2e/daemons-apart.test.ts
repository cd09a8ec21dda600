import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fewRules, parseJson, removeDirectory, ROOT, runProgram, temporaryDirectory } from './installation.ts';

let directory = '';
let stateDir = '';
const running = new Set<ChildProcess>();

function startDaemon(name: 'procmond' | 'sentinelagent'): ChildProcess {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(ROOT, 'build', 'programs', `${name}.js`),
      'run',
      '--supervised',
      '--state-dir',
      stateDir,
      '--set',
      'collection.interval=500ms',
      ...fewRules(),
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Ends a daemon by force and waits until it is gone. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });
}

type Health = {
  readonly state: string;
  readonly components: readonly { readonly component: string; readonly state: string; readonly details: Record<string, unknown> | null }[];
};
const cli = (...words: readonly string[]) => runProgram('sentinelcli', ['--state-dir', stateDir, ...words]);
const health = (): Health => parseJson<Health>(cli('health', '--json'));
const details = (component: string): Record<string, unknown> =>
  health().components.find((one) => one.component === component)?.details ?? {};
const query = <Row>(sql: string): Row[] => parseJson<Row[]>(cli('query', sql, '--json', '--limit', '100000'));
const agentEntries = () =>
  query<{ event_data: string }>("SELECT event_data FROM audit_ledger WHERE actor = 'sentinelagent' ORDER BY sequence").map((row) =>
    parseJson<{ origin: unknown }>({ stdout: row.event_data, stderr: '', status: 0 }),
  );

beforeAll(() => {
  directory = temporaryDirectory();
  stateDir = join(directory, 's');
});
afterAll(async () => {
  await Promise.all([...running].map(kill));
  removeDirectory(directory);
});

describe('procmond and the agent, started and killed apart', () => {
  it('lose no entry of the agent and record none twice', async () => {
    const agent = startDaemon('sentinelagent');
    await expect.poll(() => details('sentinelagent')['auditWaiting'], { timeout: 45_000 }).toBeGreaterThan(0);
    expect(health().state).toBe('failing');

    let procmond = startDaemon('procmond');
    await expect.poll(() => details('sentinelagent')['lastCycle'], { timeout: 45_000 }).not.toBeNull();
    await expect.poll(() => details('sentinelagent')['auditWaiting'], { timeout: 45_000 }).toBe(0);

    for (let round = 0; round < 3; round++) {
      await kill(procmond);
      procmond = startDaemon('procmond');
      const before = agentEntries().length;
      await expect.poll(() => agentEntries().length, { timeout: 45_000 }).toBeGreaterThan(before);
    }
    await kill(agent);
    startDaemon('sentinelagent');
    await expect.poll(() => details('sentinelagent')['lastCycle'], { timeout: 45_000 }).toBeTruthy();

    const verified = cli('audit', 'verify');
    expect(`${verified.status} ${verified.stdout.split('\n')[0]}`).toMatch(/^0 /);
    const numbers = agentEntries().map((entry) => JSON.stringify(entry.origin));
    expect(new Set(numbers).size).toBe(numbers.length);
    const starts = query<{ n: number }>("SELECT count(*) AS n FROM audit_ledger WHERE action = 'start' AND actor = 'procmond'");
    expect(starts).toEqual([{ n: 4 }]);
  }, 90_000);

  it('account for every refused request, also for those that were only counted when the agent stops', async () => {
    const agent = [...running].find(({ spawnargs }) => spawnargs.some((word) => word.endsWith('sentinelagent.js')));
    for (let sent = 0; sent < 30; sent++) await sendGarbage(join(stateDir, 'run', 'agent', 'agent.sock'));
    await new Promise((resolve) => {
      agent?.once('exit', resolve);
      agent?.kill('SIGTERM');
    });
    startDaemon('sentinelagent');
    const refused = (): number =>
      query<{ n: number }>(
        "SELECT coalesce(sum(coalesce(json_extract(event_data, '$.counted'), 1)), 0) AS n FROM audit_ledger WHERE action = 'request_refused' AND actor = 'sentinelagent'",
      )[0]?.n ?? 0;
    await expect.poll(refused, { timeout: 45_000 }).toBe(30);
    await expect.poll(() => details('sentinelagent')['lastCycle'], { timeout: 45_000 }).toBeTruthy();
  });

  it('go on when the executor of rules is killed', async () => {
    const agentPid = Number(details('sentinelagent')['pid']);
    const spawner = childrenOf(agentPid)[0] ?? 0;
    const [executor] = childrenOf(spawner);
    if (executor === undefined) throw new Error(`the spawner ${spawner} has no executor`);
    process.kill(executor, 'SIGKILL');
    await expect.poll(() => childrenOf(spawner).filter((pid) => pid !== executor).length, { timeout: 45_000 }).toBe(1);
    const cycles = (): number => query<{ n: number }>("SELECT count(*) AS n FROM audit_ledger WHERE action = 'rule_execute'")[0]?.n ?? 0;
    const before = cycles();
    await expect.poll(cycles, { timeout: 45_000 }).toBeGreaterThan(before + 1);
    expect(details('sentinelagent')['lastCycle']).toMatchObject({ failed: 0 });
  });
});

/** A frame that is no JSON; resolves when the other side has had enough. */
function sendGarbage(path: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write(Buffer.from([0, 0, 0, 3, 0x78, 0x78, 0x78])));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}
