import type { Rule, RuleOutcome } from '@sentineld/model/rule';
import { describe, expect, it } from 'vitest';
import { findingsOf } from './findings.ts';

const RULE: Rule = {
  id: 'probe', name: 'Probe', description: 'd', severity: 'high', category: 'c', tags: ['t'], attack: ['T1059'], version: 3, author: '',
  sql: 'SELECT 1', dedupKeys: ['pid', 'start_time'], enabled: true, source: 'file', sourcePath: '/r.yaml', checksum: 'c',
}; // prettier-ignore

const process = (pid: number) => ({
  pid, startTimeMs: 1, name: `p${pid}`, exePath: '/x', argv: ['x'], user: 'u', ppid: 1, parentName: 'init', parentExe: null, parentCmdline: null,
}); // prettier-ignore

function outcome(rows: readonly Record<string, string | number | null>[]): Extract<RuleOutcome, { outcome: 'ok' }> {
  return { outcome: 'ok', scanId: 7, rows, processes: [process(1), process(2)], truncated: false, eventSeq: null, durationMs: 1.6 };
}

describe('findingsOf', () => {
  it('makes one finding of the rows that agree in the dedup keys, with the processes they name', () => {
    const findings = findingsOf(
      RULE,
      outcome([
        { pid: 1, start_time: 5, x: 'a' },
        { pid: 1, start_time: 5, x: 'b' },
        { pid: 2, start_time: 5, x: 'a' },
      ]),
      'scan-1',
    );
    expect(findings).toHaveLength(2);
    expect(findings[0]?.rows).toHaveLength(2);
    expect(findings.map((finding) => finding.processes.map(({ pid }) => pid))).toEqual([[1], [2]]);
    expect(findings[0]).toMatchObject({
      ruleId: 'probe',
      ruleVersion: 3,
      severity: 'high',
      scanId: 7,
      correlationId: 'scan-1',
      executionTimeMs: 2,
    });
  });

  it('gives the same key for the same values and another for others, however long the values are', () => {
    const key = (row: Record<string, string | number | null>) =>
      findingsOf({ ...RULE, dedupKeys: ['name'] }, outcome([row]), 'c')[0]?.dedupKey;
    expect(key({ name: 'a'.repeat(100_000), pid: 1 })).toBe(key({ name: 'a'.repeat(100_000), pid: 2 }));
    expect(key({ name: '1' })).not.toBe(key({ name: 1 }));
    expect(key({ name: null })).not.toBe(key({ name: 'null' }));
    expect(key({ name: 'a'.repeat(100_000) })?.length).toBeLessThan(64);
  });

  it('gives findings of two rules one key where one rule says that they are the same', () => {
    const rows = [{ pid: 1, start_time: 5 }];
    const key = (changes: Partial<Rule>) => findingsOf({ ...RULE, ...changes }, outcome(rows), 'c')[0]?.dedupKey;
    expect(key({ id: 'other', dedupWith: 'probe' })).toBe(key({}));
    expect(key({ id: 'other' })).not.toBe(key({}));
    expect(findingsOf({ ...RULE, id: 'other', dedupWith: 'probe' }, outcome(rows), 'c')[0]?.ruleId).toBe('other');
  });

  it('tells programs of one pid apart by what the row says', () => {
    const programs = [
      { ...process(1), exePath: '/bin/sh', name: 'sh' },
      { ...process(1), exePath: '/bin/id', name: 'id' },
    ];
    const rows = [
      { pid: 1, start_time: 1, exe_path: '/bin/sh', name: 'sh' },
      { pid: 1, start_time: 2, exe_path: '/bin/id', name: 'id' },
    ];
    const findings = findingsOf(RULE, { ...outcome(rows), processes: programs }, 'c');
    expect(findings.map(({ processes }) => processes.map(({ name }) => name))).toEqual([['sh'], ['id']]);
  });

  it('finds nothing in no rows', () => {
    expect(findingsOf(RULE, outcome([]), 'c')).toEqual([]);
  });
});
