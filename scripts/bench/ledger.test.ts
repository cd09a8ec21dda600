import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadNative } from '@sentineld/native/addon';
import { benchLedger } from './ledger.ts';
import { isOk } from './report.ts';
import type { Run } from './run.ts';
import { REPOSITORY } from '../checks/finding.ts';

describe.skipIf(!loadNative().available)('the short form of the ledger benchmark [addon]', () => {
  it('measures every part, and claims no target', { timeout: 120_000 }, async () => {
    mkdirSync(join(REPOSITORY, 'build'), { recursive: true });
    const directory = mkdtempSync(join(REPOSITORY, 'build', 'bench-test-'));
    const scope = new AsyncDisposableStack();
    const told: string[] = [];
    const run: Run = {
      quick: true,
      directory,
      scope,
      end: () => scope.disposeAsync(),
      progress: (text) => told.push(text),
      print: (text) => told.push(text),
    };
    try {
      const findings = await benchLedger(run);
      expect(isOk(findings, true)).toBe(true);
      expect(findings.targets).toHaveLength(5);
      for (const { name, found } of findings.targets) expect([name, typeof found, (found ?? 0) > 0]).toEqual([name, 'number', true]);
      expect(findings.figures).toMatchObject({ verify: { entries: 5_000 }, rounds: 1 });
    } finally {
      await run.end();
      rmSync(directory, { recursive: true });
    }
  });
});
