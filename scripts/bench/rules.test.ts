import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REPOSITORY } from '../checks/finding.ts';
import { benchRules } from './rules.ts';
import type { Run } from './run.ts';

it('the short form of the rules benchmark measures every part', { timeout: 180_000 }, async () => {
  mkdirSync(join(REPOSITORY, 'build'), { recursive: true });
  const directory = mkdtempSync(join(REPOSITORY, 'build', 'bench-test-'));
  const scope = new AsyncDisposableStack();
  const nothing = (): void => undefined;
  const run: Run = { quick: true, directory, scope, end: () => scope.disposeAsync(), progress: nothing, print: nothing };
  try {
    const { targets, figures, missing } = await benchRules(run);
    expect(figures).toMatchObject({ processes: 200, scans: 3, wholePass: { events: 20 } });
    expect(Number(figures['rules'])).toBeGreaterThan(missing.includes('sigma') ? 10 : 25);
    for (const { name, found } of targets) {
      const isMeasured = name !== 'executor over sqlite3' || !missing.includes('sqlite3');
      expect([name, (found ?? 0) > 0]).toEqual([name, isMeasured]);
    }
    expect(targets).toHaveLength(5);
  } finally {
    await run.end();
    rmSync(directory, { recursive: true });
  }
});
