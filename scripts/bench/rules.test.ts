import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REPOSITORY } from '../checks/finding.ts';
import { benchRules } from './rules.ts';
import type { Run } from './run.ts';

/** What is named as missing where a target could not be measured. */
const NEEDED_BY: Readonly<Record<string, string>> = {
  'executor over sqlite3': 'sqlite3',
  'exec to alert, worst': 'alerts of execs: they need process events, and these root',
};

it('the short form of the rules benchmark measures every part', { timeout: 180_000 }, async () => {
  mkdirSync(join(REPOSITORY, 'build'), { recursive: true });
  const directory = mkdtempSync(join(REPOSITORY, 'build', 'bench-test-'));
  const scope = new AsyncDisposableStack();
  const nothing = (): void => undefined;
  const run: Run = { quick: true, directory, scope, end: () => scope.disposeAsync(), progress: nothing, print: nothing };
  try {
    const { targets, figures, missing } = await benchRules(run);
    expect(figures).toMatchObject({ processes: 200, scans: 3, wholePass: { events: 20 }, live: { besideEndless: { endless: 1 } } });
    expect(Number(figures['rules'])).toBeGreaterThan(missing.includes('sigma') ? 10 : 25);
    for (const { name, found } of targets) {
      const isMeasured = !missing.some((what) => what === NEEDED_BY[name]);
      expect([name, (found ?? 0) > 0]).toEqual([name, isMeasured]);
    }
    expect(targets).toHaveLength(10);
  } finally {
    await run.end();
    rmSync(directory, { recursive: true });
  }
});
