import { describe, expect, it } from 'vitest';
import { judgeAudit } from './audit.ts';

const answer = (severity: string, totalDependencies = 40): { stdout: string; stderr: string } => ({
  stdout: JSON.stringify({
    advisories: { 1: { module_name: 'zod', severity, title: 'reads too much', url: 'https://example.org/1' } },
    metadata: { totalDependencies },
  }),
  stderr: '',
});

describe('judgeAudit', () => {
  it.each(['high', 'critical'])('fails on %s', (severity) => {
    const message = `zod: ${severity}: reads too much (https://example.org/1)`;
    expect(judgeAudit(answer(severity))).toEqual({ asked: true, findings: [{ rule: 'audit', message }], notes: ['40 packages asked for'] });
  });

  it.each(['info', 'low', 'moderate'])('shows %s and passes', (severity) => {
    const verdict = judgeAudit(answer(severity));
    expect(verdict.findings).toEqual([]);
    expect(verdict.notes.join()).toContain(`zod: ${severity}`);
  });

  it.each([
    { stdout: '', stderr: 'Error: ERR_PNPM_AUDIT_BAD_RESPONSE\n\n  × The audit endpoint responded with 405:' },
    { stdout: '', stderr: 'getaddrinfo ENOTFOUND' },
    { stdout: '', stderr: '', failure: 'stopped after 120 s' },
  ])('says aloud that it could not ask: %j', (result) => {
    const verdict = judgeAudit(result);
    expect(verdict).toMatchObject({ asked: false, findings: [] });
    expect(verdict.notes[0]).toContain('NOT CHECKED');
  });

  it.each([
    ['no lockfile', { stdout: '', stderr: 'Error: ERR_PNPM_AUDIT_NO_LOCKFILE' }],
    ['something else in JSON', { stdout: '{}', stderr: '' }],
    ['nothing at all', { stdout: '', stderr: '' }],
    ['no pnpm', { stdout: '', stderr: '', failure: 'spawn pnpm ENOENT' }],
    ['a report about nothing', answer('low', 0)],
  ])('fails on %s', (_what, result) => {
    expect(judgeAudit(result).findings).toHaveLength(1);
  });
});
