import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fewRules, parseJson, removeDirectory, runProgram, startInstallation, temporaryDirectory, type Finished } from './installation.ts';

let directory = '';
let original = '';

beforeAll(async () => {
  directory = temporaryDirectory();
  original = join(directory, 'original');
  const installation = startInstallation(original, [...fewRules(), '--set', 'collection.interval=500ms']);
  await installation.waitFor(/Alerts follow as they come/);
  await installation.stop();
});
afterAll(() => removeDirectory(directory));

/** Changes a copy of the ledger as somebody with the file and an SQLite shell would. */
function tampered(name: string, sql: string): string {
  const copy = join(directory, name);
  cpSync(original, copy, { recursive: true });
  const script = `import { DatabaseSync } from 'node:sqlite'; const db = new DatabaseSync(process.argv[1]); db.exec(process.argv[2]);`;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, join(copy, 'ledger', 'ledger.db'), sql],
    { encoding: 'utf8' },
  );
  expect(`${status} ${stderr}`).toBe('0 ');
  return copy;
}

const verify = (stateDir: string, ...words: readonly string[]): Finished =>
  runProgram('sentinelcli', ['--state-dir', stateDir, 'audit', 'verify', ...words]);

describe('sentinelcli audit verify', () => {
  it('says how many entries hold', () => {
    const { status, stdout } = verify(original);
    expect(stdout).toMatch(/\b\d+ entries\b/);
    expect(status).toBe(0);
  });

  it('names the entry of which one byte was changed', () => {
    const { status, stdout } = verify(
      tampered('byte', `UPDATE audit_ledger SET event_data = replace(event_data, 'correlation_id', 'correlation_iD') WHERE sequence = 5`),
    );
    expect(status).toBe(1);
    expect(stdout).toMatch(/entry 5\b/);
  });

  it('names the place of an entry that was taken out of the middle', () => {
    const { status, stdout } = verify(tampered('middle', `DELETE FROM audit_ledger WHERE sequence = 4`));
    expect(status).toBe(1);
    expect(stdout).toMatch(/entry 4\b/);
  });

  it('after the newest entry was deleted says who knew of it, and what cannot be known', () => {
    const { status, stdout } = verify(
      tampered('tail', `DELETE FROM audit_ledger WHERE sequence >= (SELECT max(sequence) FROM audit_ledger WHERE actor = 'sentinelagent')`),
    );
    expect(status).toBe(1);
    expect(stdout).toMatch(/agent/);
    const quiet = verify(tampered('last', `DELETE FROM audit_ledger WHERE sequence = (SELECT max(sequence) FROM audit_ledger)`));
    expect(quiet.stdout).toMatch(/cannot/i);
  });

  it('gives the same as JSON', () => {
    expect(parseJson(verify(join(directory, 'byte'), '--json'))).toMatchObject({ ok: false, failure: { sequence: 5 } });
  });
});
