import { describe, expect, it } from 'vitest';
import { alertDocument, ALERT_DOCUMENT_VERSION } from './alert-document.ts';
import type { Alert } from './alert.ts';

const ALERT: Alert = {
  id: 7,
  alertTimeMs: 1_700_000_000_123,
  title: 'title',
  hostName: 'host',
  hostId: 'id',
  bootId: 'boot',
  ruleId: 'rule',
  ruleName: 'Rule',
  ruleVersion: 2,
  severity: 'high',
  description: 'description',
  category: 'category',
  tags: ['tag'],
  attack: ['T1070.004'],
  dedupKey: 'key',
  scanId: 3,
  correlationId: 'scan-1',
  rows: [{ pid: 1, name: 'a\u001b' }],
  processes: [
    {
      pid: 1,
      startTimeMs: 0,
      name: 'a\u001b',
      exePath: null,
      argv: ['', 'b'],
      user: null,
      ppid: null,
      parentName: 'p',
      parentExe: '/p',
      parentCmdline: 'p -x',
    },
  ],
  executionTimeMs: 1.5,
};

describe('alertDocument', () => {
  it('says everything of an alert, host strings as they are', () => {
    expect(alertDocument(ALERT)).toEqual({
      version: ALERT_DOCUMENT_VERSION,
      id: 7,
      time: '2023-11-14T22:13:20.123Z',
      host: { name: 'host', id: 'id', boot_id: 'boot' },
      rule: { id: 'rule', name: 'Rule', version: 2, category: 'category', tags: ['tag'], attack: ['T1070.004'] },
      severity: 'high',
      title: 'title',
      description: 'description',
      scan_id: 3,
      correlation_id: 'scan-1',
      dedup_key: 'key',
      execution_time_ms: 1.5,
      processes: [
        {
          pid: 1,
          start_time: '1970-01-01T00:00:00.000Z',
          name: 'a\u001b',
          exe: null,
          argv: ['', 'b'],
          user: null,
          parent: { pid: null, name: 'p', exe: '/p', cmdline: 'p -x' },
        },
      ],
      rows: [{ pid: 1, name: 'a\u001b' }],
    });
  });

  it('has no time where there is none', () => {
    const [process] = ALERT.processes;
    const document = alertDocument({ ...ALERT, processes: process === undefined ? [] : [{ ...process, startTimeMs: null }] });
    expect(document).toMatchObject({ processes: [{ start_time: null }] });
  });
});
