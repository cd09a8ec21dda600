import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../checks/finding.ts';
import { locateCorpora, missingFiles } from './corpora.ts';
import { cryptoSuite } from './crypto/crypto-suite.ts';
import { createReport } from './report.ts';
import { caseOf, isPassed, runSuite, type CaseResult, type Suite, type SuiteContext } from './suite.ts';

const corpora = locateCorpora(undefined);
const lacksCrypto = missingFiles(corpora, cryptoSuite.needs).length > 0;
if (lacksCrypto) console.log(`SKIPPED: no corpus of crypto at ${corpora}; set SENTINELD_CORPORA`);

const CONTEXT: SuiteContext = { corpora: '/nowhere', programs: '/nowhere' };

function suiteOf(run: Suite['run']): Suite {
  return { name: 'made-up', summary: '', needs: [], needsPrograms: false, run };
}

function runConformance(...words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(REPOSITORY, 'scripts/conformance.ts');
  return spawnSync(process.execPath, ['--conditions=sentineld-source', program, '--no-build', ...words], { encoding: 'utf8' });
}

function lastLine(text: string): string | undefined {
  return text.trimEnd().split('\n').at(-1);
}

describe('a suite', () => {
  it('counts cases, and passes only where all of at least one passed', async () => {
    const results: readonly CaseResult[] = [caseOf('a', undefined), caseOf('b', 'wrong'), caseOf('c', undefined)];
    const seen: string[] = [];
    const summary = await runSuite(
      suiteOf(() => results),
      CONTEXT,
      ({ id }) => seen.push(id),
    );
    expect(summary).toEqual({ suite: 'made-up', passed: 2, total: 3 });
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(isPassed(summary)).toBe(false);
    expect(isPassed({ suite: 'made-up', passed: 3, total: 3 })).toBe(true);
    expect(
      isPassed(
        await runSuite(
          suiteOf(() => []),
          CONTEXT,
          () => {},
        ),
      ),
    ).toBe(false);
  });

  it('that throws has a case that failed, besides those before', async () => {
    const failed: CaseResult[] = [];
    const suite = suiteOf(function* () {
      yield caseOf('a', undefined);
      throw new Error('no such file');
    });
    const summary = await runSuite(suite, CONTEXT, (result) => failed.push(result));
    expect(summary).toEqual({ suite: 'made-up', passed: 1, total: 2 });
    expect(failed[1]).toEqual({ id: 'made-up', problem: 'could not go on: no such file' });
  });
});

describe('the report', () => {
  function print(json: boolean, isTTY = false): { stdout: string; stderr: string } {
    const text = { stdout: '', stderr: '' };
    const report = createReport({
      json,
      stdout: { write: (more) => (text.stdout += more) },
      stderr: { write: (more) => (text.stderr += more), isTTY },
    });
    report.onCase('sql', caseOf('A1', undefined, { outcome: 'refused' }));
    report.onCase('sql', caseOf('A2', 'it left \u001b[2J'));
    report.endSuite({ suite: 'sql', passed: 1, total: 2 });
    report.endSuite({ suite: 'crypto', passed: 0, total: 0, absent: true });
    report.end();
    return text;
  }

  it('has a line per failure, and ends with one JSON line per suite', () => {
    expect(print(false)).toEqual({
      stdout: [
        'sql: A2: it left \\x1b[2J',
        'sql: 1 of 2 passed',
        'crypto: not run',
        '{"suite":"sql","passed":1,"total":2}',
        '{"suite":"crypto","passed":0,"total":0,"absent":true}',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('has a JSON line per case where that is asked for', () => {
    const lines = print(true).stdout.trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line)).slice(0, 2)).toEqual([
      { case: 'A1', of: 'sql', ok: true, detail: { outcome: 'refused' } },
      { case: 'A2', of: 'sql', ok: false, problem: 'it left \u001b[2J' },
    ]);
    expect(lines).toHaveLength(4);
  });

  it('shows progress on a terminal alone', () => {
    expect(print(false, true).stderr).toContain('sql: 1 cases, A1');
    expect(print(true, true).stderr).toBe('');
  });
});

describe('the program', () => {
  it('fails loudly where the test data is missing, and says how to give it', () => {
    const { status, stdout, stderr } = runConformance('crypto', '--corpora', '/nowhere');
    expect(status).toBe(1);
    expect(stderr).toContain('!!!! NOT RUN: the suite "crypto" has no test data.');
    expect(stderr).toContain('/nowhere lacks crypto/blake3_test_vectors.json');
    expect(stderr).toContain('--corpora DIR, or in SENTINELD_CORPORA');
    expect(lastLine(stdout)).toBe('{"suite":"crypto","passed":0,"total":0,"absent":true}');
  });

  it('refuses what is not a suite', () => {
    for (const words of [[], ['everything'], ['sql', 'crypto'], ['sql', '--no-such-option']]) {
      const { status, stderr } = runConformance(...words);
      expect([status, stderr.startsWith('pnpm conformance: ')]).toEqual([2, true]);
    }
  });

  it('explains itself', () => {
    expect(runConformance('--help')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('pnpm conformance SUITE') });
  });

  it.skipIf(lacksCrypto)(`passes with published vectors${lacksCrypto ? ' (needs the corpora)' : ''}`, () => {
    const { status, stdout } = runConformance('crypto', '--corpora', corpora);
    const { suite, passed, total } = JSON.parse(lastLine(stdout) ?? '') as { suite: string; passed: number; total: number };
    expect({ status, suite, passed }).toEqual({ status: 0, suite: 'crypto', passed: total });
    // 105 of BLAKE3 for each of two implementations, 4 and 151 of Ed25519, and the thousand.
    expect(total).toBeGreaterThanOrEqual(2 * 105 + 4 + 151);
  });
});
