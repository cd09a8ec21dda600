import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT_STATUS_BY_CODE, SentinelError, errnoOf, messageOf } from './error.ts';

describe('SentinelError', () => {
  it('carries code, hint, context and the exit status of its code', () => {
    const cause = new Error('inner');
    const error = new SentinelError('config.invalid', { message: 'm', hint: 'h', cause, context: { line: 3 } });
    expect(error).toMatchObject({ code: 'config.invalid', message: 'm', hint: 'h', cause, context: { line: 3 }, exitStatus: 3 });
  });

  it('has every code documented with its exit status', () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'errors.md'), 'utf8');
    for (const [code, status] of Object.entries(EXIT_STATUS_BY_CODE)) expect(page).toContain(`| \`${code}\` | ${status} |`);
  });
});

describe('what was thrown', () => {
  it('has a message and, from the system, an errno name', () => {
    expect(messageOf(new Error('a'))).toBe('a');
    expect(messageOf('b')).toBe('b');
    expect(errnoOf(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe('ENOENT');
    expect(errnoOf(null)).toBeUndefined();
  });
});
