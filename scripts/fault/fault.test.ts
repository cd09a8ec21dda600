import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAULTS } from './registry.ts';
import { createRandom } from './rig/random.ts';
import type { Outcome } from './run-fault.ts';

/** `pnpm fault NAME --quick --seed 1` repeats one of these; the damage is the same each time. */
const SEED = 1;
/** Mostly they wait; more at once would make each other, and other tests, slow. */
const AT_ONCE = 4;
const ROOT = join(import.meta.dirname, '..', '..');
const running = new Set<ChildProcess>();
const outcomes = new Map<string, PromiseWithResolvers<Outcome>>(FAULTS.map(({ name }) => [name, Promise.withResolvers<Outcome>()]));

beforeAll(() => {
  process.stdout.write(`faults, a few rounds of each: seed ${SEED}\n`);
  const waiting = FAULTS.map(({ name }) => name);
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) outcomes.get(name)?.resolve(await runQuickly(name));
  };
  for (let worker = 0; worker < AT_ONCE; worker++) void work();
});
afterAll(() => {
  for (const child of running) child.kill('SIGTERM');
});

function runQuickly(name: string): Promise<Outcome> {
  const words = ['--conditions=sentineld-source', 'scripts/fault.ts', name, '--quick', '--seed', String(SEED), '--no-build'];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
    child.on('close', (status) => {
      running.delete(child);
      const last = output.split('\n').find((line) => line.startsWith('{"fault"'));
      const broken = { what: 'campaign-broke', round: 0, detail: `exit status ${status}: ${output}`, times: 1 };
      resolve(
        last === undefined
          ? { fault: name, ok: false, rounds: 0, seed: SEED, findings: [broken], figures: {}, ms: 0 }
          : (JSON.parse(last) as Outcome),
      );
    });
  });
}

describe(`faults, a few rounds of each, seed ${SEED}`, () => {
  it.for(FAULTS.map(({ name }) => name))('%s', { timeout: 180_000 }, async (name, context) => {
    const outcome = await outcomes.get(name)?.promise;
    if (outcome?.notRun !== undefined) context.skip(outcome.notRun);
    expect(outcome?.findings.map(({ what, detail }) => `${what}: ${detail}`)).toEqual([]);
    expect(outcome?.rounds).toBeGreaterThan(0);
  });
});

describe('randomness', () => {
  it('is the same for the same seed, and within its bounds', () => {
    const draw = (seed: number): number[] => {
      const random = createRandom(seed);
      return Array.from({ length: 50 }, () => random.between(3, 9));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(new Set(draw(7))).toEqual(new Set([3, 4, 5, 6, 7, 8, 9]));
  });
});
