/**
 * An alert for tests, with every hostile string that a host can come up with.
 */
import type { Alert } from '@sentineld/model/alert';

export function exampleAlert(changes: Partial<Alert> = {}): Alert {
  return {
    id: 4,
    alertTimeMs: 1_700_000_000_000,
    title: 'Executable deleted while it runs',
    hostName: 'web1',
    hostId: 'h',
    bootId: 'b',
    ruleId: 'deleted-executable',
    ruleName: 'Executable deleted while it runs',
    ruleVersion: 1,
    severity: 'high',
    description: 'd',
    category: 'defense-evasion',
    tags: [],
    attack: ['T1070.004'],
    dedupKey: 'k',
    scanId: 9,
    correlationId: 'scan-9',
    rows: [{ pid: 42, name: 'a\u001b[2Jb' }],
    processes: [
      {
        pid: 42,
        startTimeMs: 1_699_999_999_000,
        name: 'a\u001b[2Jb',
        exePath: '/tmp/x\ny',
        argv: ['a\u202eb', '\u{10FFFF}'],
        user: 'root',
        ppid: 1,
        parentName: 'sh',
        parentExe: '/bin/sh',
        parentCmdline: 'sh',
      },
    ],
    executionTimeMs: 1,
    ...changes,
  };
}
