import { describe, expect, it } from 'vitest';
import type { Suppression } from '@sentineld/model/alert-decision';
import type { AuditEvent } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { SuppressRequest } from '@sentineld/model/request';
import type { Validation } from '@sentineld/model/rule';
import { silentLogger } from '@sentineld/runtime/log/logger';
import type { NewSuppression } from '@sentineld/store/agent/writer';
import { createAlertDecisions } from './alert-decisions.ts';
import { entryOf } from './rule-entry.ts';
import { ALICE, SEEN } from './rule-keeper.fixture.ts';

const place = { line: 1, column: 1 };
const rule = (id: string, severity: 'high' | 'critical') =>
  entryOf(
    {
      id, name: id, description: 'd', severity, category: 'c', tags: [], attack: [], version: 3, author: '', sql: 'SELECT 1', dedupKeys: ['pid'],
      enabled: true, source: 'file', sourcePath: '/r.yaml', checksum: 'ab', references: [], falsePositives: '',
      places: { id: place, dedup: place, query: place, sql: place },
    }, // prettier-ignore
    null,
  );

const ACCEPTED: Validation = { ok: true, columns: ['pid', 'cmdline'], tables: ['processes'], scope: 'everything' };
const MADE: Suppression = {
  id: 4, ruleId: 'a', conditions: [], alertId: null, reason: 'x', uid: 1000, userName: 'alice', createdMs: 5, expiresMs: 9, hits: 0, lastHitMs: null, ended: null,
}; // prettier-ignore
const REQUEST: SuppressRequest = {
  request: 'alerts.suppress',
  ruleId: 'a',
  conditions: [{ column: 'cmdline', value: 'x' }],
  alertId: null,
  forMs: 3_600_000,
  reason: 'known',
};

function decide(changes: { readonly validation?: Validation; readonly ended?: Partial<Suppression>; readonly storeFails?: boolean } = {}) {
  const audit: AuditEvent[] = [];
  const given: NewSuppression[] = [];
  const entries = [rule('a', 'high'), rule('b', 'critical')];
  for (const entry of entries) Object.assign(entry, { state: 'active', scope: 'changed_processes', seen: SEEN });
  const ended: Suppression = {
    ...MADE,
    hits: 2,
    lastHitMs: 8,
    ended: { atMs: 9, uid: null, userName: null, reason: null },
    ...changes.ended,
  };
  const failing = (): void => {
    if (changes.storeFails === true) throw new SentinelError('state.unusable', { message: 'the disk is full' });
  };
  let recorded = 0;
  const waiting: (() => void)[] = [];
  const decisions = createAlertDecisions({
    book: { entries },
    store: {
      acknowledgeAlerts: (ids, { uid, by, reason }, auditOf) => {
        const alerts = ids.map((id) => ({ id, isNew: id !== 9, acknowledgement: { uid, by, reason, atMs: 7 } }));
        audit.push(auditOf(alerts.filter(({ isNew }) => isNew)));
        return alerts;
      },
      suppress: (suppression, auditOf) => {
        given.push(suppression);
        const made = { ...MADE, ...suppression };
        audit.push(auditOf(made));
        return made;
      },
      unsuppress: (_id, by, auditOf) => {
        const stopped = { ...ended, ended: { ...by, atMs: 6 } };
        audit.push(auditOf(stopped));
        return stopped;
      },
      expireSuppressions: (auditOf) => {
        failing();
        audit.push(auditOf(ended));
        return [ended];
      },
    },
    executor: { validate: async () => changes.validation ?? ACCEPTED },
    detection: {
      between: (step) => new Promise((resolve) => waiting.push(() => resolve(step()))),
    },
    log: silentLogger(),
    userName: (uid) => (uid === 1000 ? 'alice' : null),
    onRecorded: () => recorded++,
  });
  /** Lets the cycle end that runs. */
  const endCycle = (): void => {
    for (const step of waiting.splice(0)) step();
  };
  return { decisions, audit, given, entries, endCycle, recorded: () => recorded };
}

describe('acknowledging', () => {
  it('is recorded with who the kernel says it was, for what is new', () => {
    const { decisions, audit, recorded } = decide();
    const request = { request: 'alerts.ack', ids: [3, 9], again: false, reason: 'ours' } as const;
    expect(decisions.acknowledge(request, ALICE).alerts).toMatchObject([{ id: 3, acknowledgement: { uid: 1000, by: 'alice' } }, { id: 9 }]);
    expect(audit).toEqual([
      { action: 'alert_ack', data: { alert_ids: [3], again: false, reason: 'ours', asked_by: ALICE, user_name: 'alice' } },
    ]);
    expect(decisions.acknowledge(request, { ...ALICE, uid: 7 }).alerts[0]?.acknowledgement.by).toBe('uid 7');
    expect(recorded()).toBe(2);
  });
});

describe('suppressing', () => {
  it('keeps what was asked for, and records all that it hides', async () => {
    const { decisions, audit, given, recorded } = decide();
    expect(await decisions.suppress(REQUEST, ALICE)).toMatchObject({ id: 4, conditions: REQUEST.conditions });
    expect(given).toEqual([
      { ruleId: 'a', conditions: REQUEST.conditions, alertId: null, forMs: 3_600_000, reason: 'known', uid: 1000, userName: 'alice' },
    ]);
    expect(audit).toMatchObject([
      {
        action: 'alert_suppress',
        data: { suppression_id: 4, rule_id: 'a', rule_version: 3, conditions: REQUEST.conditions, reason: 'known', asked_by: ALICE },
      },
    ]);
    expect(recorded()).toBe(1);
  });

  const refused: Validation = { ok: false, refusal: { code: 'parse', message: 'no SQL', position: null } };
  it.each<[string, Partial<SuppressRequest>, Validation, string, RegExp]>([
    ['an unknown rule', { ruleId: 'c' }, ACCEPTED, 'usage.invalid', /there is no rule c/],
    ['a column that is not there', { conditions: [{ column: 'cmdlin', value: 'x' }] }, ACCEPTED, 'usage.invalid', /did you mean cmdline/],
    ['a column like none', { conditions: [{ column: 'zzzzzz', value: 'x' }] }, ACCEPTED, 'usage.invalid', /it has pid, cmdline/],
    ['a critical rule as a whole', { ruleId: 'b', conditions: [] }, ACCEPTED, 'usage.invalid', /rule b is critical/],
    ['a rule that would not be run', {}, refused, 'query.refused', /no SQL/],
  ])('refuses %s, and keeps nothing', async (_what, changes, validation, code, message) => {
    const { decisions, given, audit } = decide({ validation });
    await expect(decisions.suppress({ ...REQUEST, ...changes }, ALICE)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect([given, audit]).toEqual([[], []]);
  });

  it('takes a whole rule that is not critical, and a critical one with a condition', async () => {
    const { decisions, given } = decide();
    await decisions.suppress({ ...REQUEST, conditions: [] }, ALICE);
    await decisions.suppress({ ...REQUEST, ruleId: 'b' }, ALICE);
    expect(given.map(({ ruleId, conditions }) => [ruleId, conditions.length])).toEqual([
      ['a', 0],
      ['b', 1],
    ]);
  });
});

describe('the end of a suppression', () => {
  it('waits for the cycle that runs, is recorded with what was hidden, and has the rule look at everything once', async () => {
    const { decisions, audit, entries, endCycle } = decide();
    const ending = decisions.unsuppress(4, 'over', ALICE);
    expect(audit).toEqual([]);
    endCycle();
    expect((await ending).ended).toMatchObject({ uid: 1000, userName: 'alice', reason: 'over' });
    expect(audit).toEqual([
      {
        action: 'alert_unsuppress',
        data: { suppression_id: 4, rule_id: 'a', hits: 2, last_hit_ms: 8, reason: 'over', asked_by: ALICE, user_name: 'alice' },
      },
    ]);
    expect(entries.map(({ seen }) => seen)).toEqual([null, SEEN]);
  });

  it('by its time is recorded too', async () => {
    const { decisions, audit, entries, endCycle, recorded } = decide();
    const ending = decisions.expire();
    endCycle();
    await ending;
    expect(audit).toEqual([
      { action: 'alert_suppression_expire', data: { suppression_id: 4, rule_id: 'a', hits: 2, last_hit_ms: 8, expired_ms: 9 } },
    ]);
    expect([entries[0]?.seen, recorded()]).toEqual([null, 1]);
  });

  it('leaves the place of a rule that sees each event once, and of one of which nothing was hidden', async () => {
    const overEvents = decide();
    Object.assign(overEvents.entries[0] ?? {}, { scope: 'new_events' });
    const idle = decide({ ended: { hits: 0 } });
    for (const { decisions, endCycle } of [overEvents, idle]) {
      const ending = decisions.expire();
      endCycle();
      await ending;
    }
    expect([overEvents.entries[0]?.seen, idle.entries[0]?.seen]).toEqual([SEEN, SEEN]);
  });

  it('that cannot be stored is for the next time', async () => {
    const { decisions, entries, endCycle, recorded } = decide({ storeFails: true });
    const ending = decisions.expire();
    endCycle();
    await ending;
    expect([entries[0]?.seen, recorded()]).toEqual([SEEN, 0]);
  });
});
