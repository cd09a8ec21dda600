import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const json = (text: string): unknown => JSON.parse(text);
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('audit verify', () => {
  it('shows how far the ledger holds and what that cannot show', async () => {
    const hashes = installation.makeLedger(5);
    const { status, out, err } = await installation.run(['audit', 'verify']);
    expect(status).toBe(0);
    expect(out).toContain('ok: 5 entries hold');
    expect(out).toContain('ledger l-1, newest verified entry 5');
    expect(out).toContain(hashes[4] ?? 'none');
    expect(out).toContain('entries removed from the end cannot be noticed');
    expect(err).toBe('not recorded in the ledger: neither daemon is running\n');
    expect(lines(out).every((line) => line.length <= 80)).toBe(true);
  });

  it('names the entry that was changed', async () => {
    installation.makeLedger(5);
    installation.changeDatabase(installation.paths.ledgerDb, `UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 3`);
    const { status, out } = await installation.run(['audit', 'verify', '--json']);
    expect(status).toBe(1);
    expect(json(out)).toMatchObject({ ok: false, entries: 2, failure: { sequence: 3, what: 'payload_hash' } });
    expect((await installation.run(['audit', 'verify'])).out).toContain('FAILED at entry 3 (payload_hash)');
  });

  it('cannot notice a missing end without a witness, and says so', async () => {
    installation.makeLedger(5);
    installation.changeDatabase(installation.paths.ledgerDb, 'DELETE FROM audit_ledger WHERE sequence = 5');
    const { status, out } = await installation.run(['audit', 'verify']);
    expect(status).toBe(0);
    expect(out).toContain('none: procmond is not running, and the agent keeps no entry');
    expect(out).toContain('No witness');
  });

  it.each(['procmond', 'agent'])('proves a missing end by what the %s knows', async (witness) => {
    const newest = installation.makeLedger(5)[4] ?? '';
    installation.changeDatabase(installation.paths.ledgerDb, 'DELETE FROM audit_ledger WHERE sequence = 5');
    if (witness === 'procmond') await installation.serve('procmond', { health: { ledger: { sequence: 5, entryHash: newest } } });
    installation.makeAgent([]);
    if (witness === 'agent') installation.changeDatabase(installation.paths.agentDb, `INSERT INTO ledger_witness VALUES (5, '${newest}')`);
    const { status, out } = await installation.run(['audit', 'verify']);
    expect(status).toBe(1);
    expect(out).toContain('FAILED at entry 5 (witness)');
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      `${witness === 'procmond' ? 'the running procmond' : "the agent's file"} knows entry 5, but the ledger ends at 4: entry 5 is gone`,
    );
  });

  it('is recorded: by procmond, or kept by the agent', async () => {
    installation.makeLedger(2);
    const queued = await installation.serve('sentinelagent', { 'audit.queue': {} });
    expect((await installation.run(['audit', 'verify'])).err).toBe('');
    expect(queued).toMatchObject([{ action: 'audit_verify', data: { ok: true, entries: 2, witnesses: 0 } }]);
    const appended = await installation.serve('procmond', { 'audit.append': {}, health: {} });
    await installation.run(['audit', 'verify']);
    expect([appended.length, queued.length]).toEqual([1, 1]);
  });
});
