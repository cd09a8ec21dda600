import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';
import { planExport, writeExport, type LineSink } from './ledger-export.ts';
import { withLedger } from './ledger-view.ts';

let installation: Installation;
beforeEach(() => {
  installation = createInstallation();
});
afterEach(() => installation.close());

const everything = { from: null, to: null };

describe('writeExport', () => {
  it('ends between two entries where nobody takes more', async () => {
    installation.makeSignedLedger(1000, { checkpoints: [1000] });
    const lines: string[] = [];
    let looks = 0;
    const sink: LineSink = { write: (text) => lines.push(text), goesOn: () => Promise.resolve(++looks < 2) };
    const counts = await withLedger(installation.paths, (ledger) =>
      writeExport(ledger, planExport(ledger, everything), sink, () => undefined),
    );
    expect([counts, looks]).toEqual([null, 2]);
    // The header and two times as many entries as between two looks.
    expect(lines).toHaveLength(401);
  });

  it('tells every entry that was read, also those before the range', async () => {
    installation.makeSignedLedger(50, { checkpoints: [10, 50] });
    const steps: number[] = [];
    const sink: LineSink = { write: () => undefined, goesOn: () => Promise.resolve(true) };
    await withLedger(installation.paths, (ledger) =>
      writeExport(ledger, planExport(ledger, { from: 31, to: null }), sink, (done) => steps.push(done)),
    );
    // From the checkpoint of 10 entries on.
    expect(steps).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  });
});
