import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIONS_BY_ROLE, AUDIT_ACTIONS } from './audit.ts';
import { MAX_FRAME_BYTES, RequestSchema, RULES_PAGE, SOCKET_ROLES } from './request.ts';

const event = { action: 'start', data: { a: [1, null, 'x'] } };
const entry = (originSequence: unknown = 1): unknown => ({ originSequence, event });
const append = (changes: Readonly<Record<string, unknown>> = {}): unknown => ({
  request: 'audit.append',
  origin: 'o',
  entries: [entry()],
  ...changes,
});
const suppress = (changes: Readonly<Record<string, unknown>> = {}): unknown => ({
  request: 'alerts.suppress',
  ruleId: 'a',
  conditions: [{ column: 'pid', value: '1' }],
  alertId: null,
  forMs: 3_600_000,
  reason: 'x',
  ...changes,
});
const accepts = (value: unknown): boolean => RequestSchema.safeParse(value).success;

describe('RequestSchema', () => {
  it.each<unknown>([
    { request: 'health' },
    { request: 'subscribe' },
    append(),
    append({ origin: 'x'.repeat(64), entries: Array.from({ length: 64 }, (_, index) => entry(index + 1)) }),
    { request: 'audit.queue', event },
    { request: 'rules', offset: 0 },
    { request: 'rules', offset: 2 ** 52 },
    { request: 'rules.reload' },
    { request: 'rules.override', ruleId: 'a', decision: { kind: 'severity', severity: 'low' }, reason: 'x'.repeat(500) },
    { request: 'rules.override', ruleId: 'a', decision: { kind: 'reset' }, reason: 'x' },
    { request: 'alerts.ack', ids: Array.from({ length: 100 }, (_, at) => at + 1), again: true, reason: 'x'.repeat(500) },
    suppress(),
    suppress({ conditions: [], alertId: 7, forMs: 90 * 86_400_000 }),
    suppress({ conditions: Array.from({ length: 8 }, (_, at) => ({ column: `c${at}`, value: at === 0 ? null : '\u20ac'.repeat(900) })) }),
    { request: 'alerts.unsuppress', id: 1, reason: 'x' },
  ])('takes %j as it is', (value) => {
    expect(RequestSchema.parse(value)).toEqual(value);
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['a word', 'health'],
    ['a list', [{ request: 'health' }]],
    ['no request', {}],
    ['an unknown request', { request: 'shutdown' }],
    ['a request of another case', { request: 'Health' }],
    ['a request that is a list', { request: ['health'] }],
    ['more than belongs to it', { request: 'health', uid: 0 }],
    ['a name for the actor', append({ actor: 'procmond' })],
    ['no entries', append({ entries: [] })],
    ['too many entries', append({ entries: Array.from({ length: 65 }, () => entry()) })],
    ['no origin', append({ origin: '' })],
    ['a long origin', append({ origin: 'x'.repeat(65) })],
    ['entry 0', append({ entries: [entry(0)] })],
    ['entry 1.5', append({ entries: [entry(1.5)] })],
    ['an entry beyond 2^53', append({ entries: [entry(2 ** 53)] })],
    ['an unknown action', append({ entries: [{ originSequence: 1, event: { action: 'delete', data: {} } }] })],
    ['data that is a list', { request: 'audit.queue', event: { action: 'start', data: [] } }],
    ['an event with a peer', { request: 'audit.queue', event: { ...event, peer: { uid: 0 } } }],
    ['a negative offset', { request: 'rules', offset: -1 }],
    ['an offset that is text', { request: 'rules', offset: '0' }],
    ['a decision without a reason', { request: 'rules.override', ruleId: 'a', decision: { kind: 'enable' }, reason: ' ' }],
    ['a long reason', { request: 'rules.override', ruleId: 'a', decision: { kind: 'enable' }, reason: 'x'.repeat(501) }],
    ['an unknown decision', { request: 'rules.override', ruleId: 'a', decision: { kind: 'drop' }, reason: 'x' }],
    ['a severity that is none', { request: 'rules.override', ruleId: 'a', decision: { kind: 'severity', severity: 'x' }, reason: 'x' }],
    ['a decision about a long id', { request: 'rules.override', ruleId: 'x'.repeat(65), decision: { kind: 'reset' }, reason: 'x' }],
    ['no alerts to acknowledge', { request: 'alerts.ack', ids: [], again: false, reason: 'x' }],
    ['too many alerts to acknowledge', { request: 'alerts.ack', ids: Array.from({ length: 101 }, () => 1), again: false, reason: 'x' }],
    ['alert 0', { request: 'alerts.ack', ids: [0], again: false, reason: 'x' }],
    ['an acknowledgement without a reason', { request: 'alerts.ack', ids: [1], again: false, reason: ' ' }],
    ['a suppression without an end', suppress({ forMs: undefined })],
    ['a suppression for minutes', suppress({ forMs: 3_599_999 })],
    ['a suppression for a year', suppress({ forMs: 90 * 86_400_000 + 1 })],
    ['a suppression without a reason', suppress({ reason: '' })],
    ['nine conditions', suppress({ conditions: Array.from({ length: 9 }, (_, at) => ({ column: `c${at}`, value: 'x' })) })],
    ['a column twice', suppress({ conditions: Array.from({ length: 2 }, () => ({ column: 'pid', value: '1' })) })],
    ['a value of more than 4 KiB', suppress({ conditions: [{ column: 'cmdline', value: '\u20ac'.repeat(1366) }] })],
    ['a value that is a number', suppress({ conditions: [{ column: 'pid', value: 1 }] })],
    ['a condition without a column', suppress({ conditions: [{ column: '', value: 'x' }] })],
    [
      'conditions that are too large together',
      suppress({ conditions: Array.from({ length: 7 }, (_, at) => ({ column: `c${at}`, value: '\u0001'.repeat(600) })) }),
    ],
    ['the end of suppression 0', { request: 'alerts.unsuppress', id: 0, reason: 'x' }],
    ['an offset without end', { request: 'rules', offset: Infinity }],
  ])('refuses %s', (_what, value) => {
    expect(accepts(value)).toBe(false);
  });

  it('takes data of 32 levels, in an entry to append and to queue alike, and none that is deeper', () => {
    const nested = (levels: number): unknown => JSON.parse(`${'[1,{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`);
    const both = (levels: number): boolean[] => {
      const deep = { action: 'start', data: { a: nested(levels) } };
      return [accepts({ request: 'audit.queue', event: deep }), accepts(append({ entries: [{ originSequence: 1, event: deep }] }))];
    };
    expect([both(30), both(32), both(6_000)]).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
  });

  it('is not reached by way of a prototype', () => {
    expect(accepts(JSON.parse('{"__proto__":{"request":"health"}}'))).toBe(false);
  });

  it('never throws, whatever JSON says', () => {
    const request = fc.constantFrom('health', 'subscribe', 'audit.append', 'audit.queue', 'rules');
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.tuple(request, fc.dictionary(fc.constantFrom('origin', 'entries', 'event', 'offset'), fc.jsonValue()))),
        (json) => {
          const value: unknown =
            Array.isArray(json) && json.length === 2 && typeof json[1] === 'object' ? Object.assign({ request: json[0] }, json[1]) : json;
          expect(() => RequestSchema.safeParse(value)).not.toThrow();
        },
      ),
    );
  });
});

describe('the limits', () => {
  it('let a page of rules and a full append of small entries fit a frame', () => {
    expect(RULES_PAGE * 1000).toBeLessThan(MAX_FRAME_BYTES);
    expect(JSON.stringify(append({ entries: Array.from({ length: 64 }, () => entry()) })).length).toBeLessThan(MAX_FRAME_BYTES);
  });
});

describe('what a client may have recorded', () => {
  it('is told for each role, of the actions there are, and never of the collector itself', () => {
    expect(Object.keys(ACTIONS_BY_ROLE).toSorted()).toEqual([...SOCKET_ROLES].toSorted());
    for (const role of SOCKET_ROLES) {
      for (const action of ACTIONS_BY_ROLE[role]) expect(AUDIT_ACTIONS).toContain(action);
      for (const action of ['ledger_create', 'process_scan_start', 'process_scan_complete'] as const)
        expect(ACTIONS_BY_ROLE[role]).not.toContain(action);
    }
  });
});
