import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { loadNative } from '@sentineld/native/addon';
import { describe, expect, it } from 'vitest';

const TRACING = '/sys/kernel/tracing';
/** A mount namespace of its own, gone with the program; the instance is the kernel's and is taken away. */
const WITH_TRACEFS = `mount -t tracefs tracefs ${TRACING} || exit 77; "$@"; status=$?; rmdir ${TRACING}/instances/sentineld; exit $status`;

function run(...program: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const words = ['--mount', '--propagation', 'private', '/bin/sh', '-c', WITH_TRACEFS, 'sh', ...program];
  const { status, stdout, stderr, error } = spawnSync('unshare', words, { encoding: 'utf8', env: { PATH: process.env['PATH'] } });
  return { status: error === undefined ? status : 77, stdout, stderr };
}
function runFixture(name: string, argument: string): Record<string, unknown> {
  const file = fileURLToPath(new URL(`fixtures/${name}.fixture.ts`, import.meta.url));
  const { status, stdout, stderr } = run(process.execPath, '--conditions=sentineld-source', file, argument);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** The instance has one name, so that one of somebody else must not be taken. */
const trial = run('sh', '-c', `mkdir ${TRACING}/instances/sentineld && test -e ${TRACING}/instances/sentineld/events/task/task_newtask`);
const available = trial.status === 0 && loadNative().available;
if (!available) console.warn(`Skipped: trace-events.test.ts needs root, unshare, tracefs and the addon (${trial.stderr.trim()})`);

describe.skipIf(!available)('events of a trace instance (needs root, tracefs, and that nobody else has one)', () => {
  it('tell of every process and of no thread, and cannot be forged by a name', () => {
    const heard = runFixture('trace', 'lives');
    expect(heard).toMatchObject({ born: 500, execs: 500, exits: 500, inOrder: true, forged: 0, own: 0 });
    // The mother, the sleeper and the one with a thread; and of that, what its thread started.
    expect(heard).toMatchObject({ ownForks: 3, threaded: ['fork', 'exec', 'exit'], ofThread: 1 });
    expect(heard['short']).toMatchObject({ name: 'true', exePath: '/bin/true', argv: null, startTicks: null, userId: null });
    const path = heard['forgedPath'];
    const gone = { exitCode: null, exitSignal: null };
    expect(heard['sleeper']).toMatchObject([
      { kind: 'fork', argv: null, ...gone },
      {
        kind: 'exec',
        name: 'x pid=1 old_pid',
        exePath: path,
        argv: ['a\nb', '600'],
        userId: 0,
        groupId: 0,
        startTicks: heard['startTicks'],
      },
      { kind: 'exit', ...gone },
    ]);
    expect(heard['counts']).toEqual({ lost: 0, overruns: 0, argvMissed: heard['missed'], dropped: 0 });
  });

  it('count what was overwritten before it was read', () => {
    const { heard, counts } = runFixture('trace', 'small') as { heard: number; counts: { lost: number; overruns: number } };
    expect(heard).toBeLessThan(3000);
    expect(counts.lost + heard).toBeGreaterThanOrEqual(3003);
    expect(counts.overruns).toBeGreaterThan(0);
  });

  it('are handed over when the program replaces itself, and closed by the one that got them', () => {
    expect(runFixture('hand-over', 'trace')).toEqual({ tier: 'trace', reasons: [], kinds: ['fork', 'exec', 'exit'], leftOpen: [] });
    // The instance that was left is taken again.
    expect(runFixture('hand-over', 'trace')).toMatchObject({ tier: 'trace' });
  });
});
