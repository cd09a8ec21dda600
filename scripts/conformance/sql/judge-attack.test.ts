import type { RuleOutcome } from '@sentineld/model/rule';
import { describe, expect, it } from 'vitest';
import { judgeAttack, type Attack, type Observation } from './judge-attack.ts';

const SECRET = 'open sesame';
const ATTACK: Attack = { id: 'x', sql: 'SELECT name FROM processes', mustBeRefused: false };
const REFUSED: RuleOutcome = { outcome: 'refused', refusal: { code: 'table', message: 'no', position: null }, durationMs: 1 };
const rows = (...values: readonly string[]): RuleOutcome => ({
  outcome: 'ok',
  scanId: null,
  rows: values.map((value) => ({ value })),
  processes: [],
  truncated: false,
  eventSeq: null,
  durationMs: 1,
});

function judge(change: Partial<Observation>, attack: Partial<Attack> = {}): string | undefined {
  const observation: Observation = { outcome: REFUSED, wallMs: 1, grownBytes: 0, newFiles: [], wentOn: true, ...change };
  return judgeAttack({ ...ATTACK, ...attack }, observation, [SECRET]);
}

describe('an attack', () => {
  it.each<[string, Partial<Observation>]>([
    ['refused', {}],
    ['run within its bounds', { outcome: rows('init') }],
    ['ended for its time', { outcome: { outcome: 'timeout', message: 'too long', durationMs: 1500 }, wallMs: 1_600 }],
    ['ended for its memory', { outcome: { outcome: 'memory', message: 'too much', durationMs: 9 }, grownBytes: 60 * 1024 * 1024 }],
  ])('is stopped when it is %s', (_how, change) => {
    expect(judge(change)).toBeUndefined();
  });

  it.each<[string, Partial<Observation>]>([
    ['it took 2001 ms', { wallMs: 2_001 }],
    ['memory grew by 65 MB', { grownBytes: 65 * 1024 * 1024 }],
    ['it left shell.php', { newFiles: ['shell.php'] }],
    ['the next statement was not answered', { wentOn: false }],
    ['the executor crashed: signal SIGSEGV', { outcome: { outcome: 'crashed', message: 'signal SIGSEGV', durationMs: 1 } }],
    ['it gave the schema away', { outcome: rows('CREATE TABLE processes(pid)') }],
    ['it gave a secret away', { outcome: rows('init', `(${SECRET})`) }],
    ['it gave a secret away', { outcome: rows(Buffer.from(SECRET).toString('hex').toUpperCase()) }],
    ['it gave a secret away', { outcome: rows('emases nepo') }],
    ['it gave a secret away', { outcome: { outcome: 'failed', message: `no such column: ${SECRET}`, durationMs: 1 } }],
  ])('is not stopped: %s', (problem, change) => {
    expect(judge(change)).toBe(problem);
  });

  it('that has to be refused may not run, whatever it gives', () => {
    expect(judge({ outcome: rows() }, { mustBeRefused: true })).toBe('it ran and gave 0 rows, it has to be refused');
    expect(judge({}, { mustBeRefused: true })).toBeUndefined();
  });

  it('that brings the word itself has not got it from us', () => {
    expect(judge({ outcome: rows(SECRET) }, { sql: `SELECT '${SECRET}'` })).toBeUndefined();
  });
});
