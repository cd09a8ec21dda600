import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootId, startTicksOf } from '@sentineld/runtime/lifecycle/process-identity';
import { VERSION } from '@sentineld/runtime/version';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { selfCheck } from './self-check.ts';

const isRoot = process.getuid?.() === 0;

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-check-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const state = (): string => join(directory, 'state');

function check(
  assignments: readonly string[] = [],
  verbose = false,
): { readonly status: number; readonly text: string; readonly lines: readonly string[] } {
  let text = '';
  const load = { environment: {}, systemFile: join(directory, 'none.yaml'), assignments: [`state_dir=${state()}`, ...assignments] };
  const status = selfCheck(load, verbose, (part) => {
    text += part;
  });
  return { status, text, lines: text.trimEnd().split('\n') };
}

describe('self-check', () => {
  it('says of each thing that is needed whether it works, and ends with 0', () => {
    const { status, lines } = check();
    expect(lines[0]).toMatch(new RegExp(`^System Diagnostics: procmond ${VERSION}, Node ${process.versions.node}, `));
    const found = lines.filter((line) => /^ {2}(ok|reduced|FAILED) /.test(line)).map((line) => line.trim().replace(/^\S+\s+/, ''));
    const subjects = ['configuration', 'state directory', '/proc', 'privileges', 'native addon', 'setpriv', 'accounts', 'events', 'scan'];
    expect(found.map((line) => line.split(':')[0])).toEqual(subjects);
    expect(lines.some((line) => line.includes('FAILED'))).toBe(false);
    expect(status).toBe(0);
    expect(lines.find((line) => line.includes('state directory'))).toContain(`${state()} (will be made)`);
    expect(lines.find((line) => line.includes('privileges:'))).toContain(isRoot ? 'root, given up' : 'none');
    expect(lines.find((line) => line.includes('scan:'))).toMatch(/scan: \d+ processes in [\d.]+ ms, found by polling/);
  });

  it('says more where it is asked to', () => {
    const [brief, verbose] = [check(), check([], true)];
    expect(verbose.lines.length).toBeGreaterThan(brief.lines.length);
    expect(verbose.text).toMatch(/sha256 [0-9a-f]{64}/);
    expect(verbose.text).toMatch(/uid \d+, effective capabilities 0x[0-9a-f]+, \d+ threads/);
    expect(verbose.text).toMatch(/\d+ fully visible, \d+ vanished, 0 errors/);
  });

  it('changes nothing', () => {
    check();
    expect(() => readFileSync(state())).toThrow('ENOENT');
  });

  it('ends with 1 where the configuration is wrong, and says what to do', () => {
    const { status, text } = check(['collection.intervall=2s']);
    expect(status).toBe(1);
    expect(text).toContain('FAILED   configuration: --set collection.intervall: unknown key');
    expect(text).toContain('-> did you mean collection.interval?');
    expect(text).toContain('scan:');
  });

  it.skipIf(isRoot)('ends with 1 where the state directory may not be made (needs an unprivileged user)', () => {
    chmodSync(directory, 0o500);
    const { status, text } = check();
    chmodSync(directory, 0o700);
    expect(status).toBe(1);
    expect(text).toMatch(
      /FAILED {3}state directory: \S+ cannot be written: this user may not .*\n\s+-> give another one with --state-dir DIR/,
    );
  });

  it('says who uses the state directory', () => {
    mkdirSync(join(state(), 'events'), { recursive: true });
    const holder = { pid: process.pid, startTicks: startTicksOf(process.pid), bootId: bootId(), program: 'procmond', sinceMs: 1 };
    writeFileSync(join(state(), 'events', 'procmond.lock'), JSON.stringify(holder));
    expect(check().text).toContain(`${state()}, in use by procmond, pid ${process.pid}`);
    writeFileSync(join(state(), 'events', 'procmond.lock'), JSON.stringify({ ...holder, startTicks: 1 }));
    expect(check().text).not.toContain('in use by');
  });

  it('lets nothing of a name into the terminal', () => {
    expect(check([`alerting.file.path=/x\u001b[2J`, 'log.level=\u001b[31mred']).text).not.toContain('\u001b');
  });
});
