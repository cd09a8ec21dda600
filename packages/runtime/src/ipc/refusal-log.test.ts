import { describe, expect, it } from 'vitest';
import { createRefusalLog, type RefusalRecord } from './refusal-log.ts';

const refused = (reason: string) => ({ peer: { role: 'sentinelcli' as const, credentials: { pid: 1, uid: 2, gid: 3 } }, reason });

describe('createRefusalLog', () => {
  it('records the first refusals of a minute one by one and the rest as one entry', () => {
    const records: RefusalRecord[] = [];
    let nowMs = 0;
    const log = createRefusalLog(
      (data) => records.push(data),
      () => nowMs,
    );
    for (let i = 0; i < 5000; i++) log.note(refused(i % 2 === 0 ? 'frame: oversize' : 'unknown request'));
    expect(records).toHaveLength(10);
    expect(records[0]).toEqual({ role: 'sentinelcli', peer: { pid: 1, uid: 2, gid: 3 }, reason: 'frame: oversize' });
    nowMs = 60_000;
    log.note(refused('frame: empty'));
    expect(records.slice(10)).toEqual([
      { counted: 4990, reasons: { 'frame: oversize': 2495, 'unknown request': 2495 } },
      expect.objectContaining({ reason: 'frame: empty' }),
    ]);
  });

  it('says what it only counted when it is asked to', () => {
    const records: RefusalRecord[] = [];
    const log = createRefusalLog(
      (data) => records.push(data),
      () => 0,
    );
    for (let i = 0; i < 12; i++) log.note(refused('x'));
    log.flush();
    log.flush();
    expect(records.at(-1)).toEqual({ counted: 2, reasons: { x: 2 } });
    expect(records).toHaveLength(11);
  });
});
