import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHostBytes } from '../host-text.ts';
import { createRedactor, type Redactor } from '../redact.ts';
import { PROGRAM_RULES } from './programs.ts';
import { createSecretNames } from './secret-names.ts';
import { TOKEN_STARTS } from './token-shapes.ts';

const NAMES = ['License-Key', 'x', 'no.pass', 'Ünlü', 'q1', 'K.ey_', '_'];
const plain = createRedactor({ enabled: true, names: [], patterns: [] });
const named = createRedactor({ enabled: true, names: NAMES, patterns: [] });

const bytesOf = (argv: readonly string[]): Buffer => Buffer.from(argv.map((argument) => `${argument}\0`).join(''));
const isClean = (redact: Redactor, bytes: Uint8Array): boolean => redact.isClean(bytes, 0, bytes.length);
/** What the rules find in the same bytes, however the last argument ends. */
const redactedOf = (redact: Redactor, bytes: Uint8Array): number => {
  const open = bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes;
  return bytes.length === 0 ? 0 : redact(decodeHostBytes(open).split('\0')).redacted;
};

const SECRETS = [
  ...createSecretNames(NAMES).ends,
  ...PROGRAM_RULES.keys(),
  ...[...PROGRAM_RULES.values()].flatMap((rule) => Object.keys({ ...rule.next, ...rule.glued, ...rule.then })),
  ...TOKEN_STARTS.map((start) => `${start}${start === 'eyJ' ? '0aaaaaaa.eyJaaaaaaaaaaa' : '_pat-proj-live_abcdefghijklmnopqrstuvwxyz0123456789'}`),
  ...['ghp_', 'hf_', 'glpat-', 'hvs.', 'AIza', 'dop_v1_', 'github_pat_'].map((start) => `${start}abcdefghijklmnopqrstuvwxyz0123456789`),
  '-----BEGIN PRIVATE KEY-----', 'Password', 'API_KEY', 'dbPassword', 'pass-word', 'pa.ss', 'clé',
]; // prettier-ignore
const GLUE = [...Array.from('=:@ -_./"\'\\[]{}&?;,+%'), '--', '://', '\0', '\n', '=>', 'a', 'Z', '7', 'é', '-c', '/', '\\"'];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...SECRETS), fc.constantFrom(...GLUE), fc.string({ maxLength: 6 })), { maxLength: 12 })
  .map((parts) => Buffer.from(parts.join('')));

describe('isClean', () => {
  it.each([
    ['the built-in names', plain],
    ['names of its own', named],
  ])('says nothing is there only where the rules find nothing, with %s', (_name, redact) => {
    fc.assert(
      fc.property(fc.oneof(hostile, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        fc.pre(isClean(redact, bytes));
        expect(redactedOf(redact, bytes)).toBe(0);
      }),
      { numRuns: 3000, maxSkipsPerRun: 500 },
    );
  });

  it.each([
    ['app', '--config=/etc/app.conf', '--id=17', '--role=worker', '-v'],
    ['/usr/sbin/nginx', '-g', 'daemon:off'],
    ['/usr/lib/systemd/systemd-journald'],
    ['java', '-Xmx512m', '-jar', '/srv/a.jar'],
    ['--prefix', '--follow', 'x=1', 'https://example.org/a?b=c'],
    [],
    [''],
  ])('needs no rules for %s', (...argv) => {
    expect(isClean(plain, bytesOf(argv))).toBe(true);
  });

  it('looks at nothing before the start and after the end', () => {
    const bytes = bytesOf(['--password', 'app', '--size=1', '--password=x']);
    const start = '--password\0'.length;
    expect(plain.isClean(bytes, start, start + 'app\0--size=1\0'.length)).toBe(true);
    expect(plain.isClean(bytes, start, bytes.length)).toBe(false);
    expect(plain.isClean(bytes, 0, start + 3)).toBe(false);
  });

  it('knows names of its own', () => {
    const bytes = bytesOf(['app', '--license-key=v']);
    expect(isClean(createRedactor({ enabled: true, names: ['licensekez'], patterns: [] }), bytesOf(['app', '--licensekez=v']))).toBe(false);
    expect(redactedOf(named, bytes)).toBe(1);
    expect(isClean(named, bytes)).toBe(false);
  });

  it('is never sure of patterns, and always where nothing is taken out', () => {
    const bytes = bytesOf(['true']);
    expect(isClean(createRedactor({ enabled: true, names: [], patterns: ['tr'] }), bytes)).toBe(false);
    expect(isClean(createRedactor({ enabled: false, names: [], patterns: [] }), bytesOf(['--password=x']))).toBe(true);
  });
});
