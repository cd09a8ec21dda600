import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AuditEntry } from '@sentineld/model/audit';
import { openExport } from '@sentineld/ledger/export-file';
import { createWalk } from '@sentineld/ledger/walk';
import {
  type LedgerFixture,
  PEER,
  checkpointsOf,
  createLedgerFixture,
  cycle,
  dataOf,
  entriesOf,
  scans,
  verifyFile,
} from './fixtures/ledger.fixture.ts';
import type { LedgerWriter } from './writer.ts';

type Step =
  | { readonly do: 'submit'; readonly origin: string; readonly count: number; readonly isRepeated: boolean }
  | { readonly do: 'append'; readonly count: number }
  | { readonly do: 'checkpoint' | 'rotate' | 'archive' | 'open' | 'lose key' };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      origin: fc.constantFrom('a', 'b'),
      count: fc.integer({ min: 1, max: 20 }),
      isRepeated: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 90 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('checkpoint' as const, 'rotate' as const, 'archive' as const, 'open' as const, 'lose key' as const),
    }),
  },
);

/** What was sent so far by each origin; what was not acknowledged waits in `open`. */
type Sent = { readonly last: Map<string, number>; readonly open: Promise<unknown>[] };

async function take(step: Step, writer: LedgerWriter, ledger: LedgerFixture, sent: Sent): Promise<LedgerWriter> {
  switch (step.do) {
    case 'submit': {
      const before = sent.last.get(step.origin) ?? 0;
      const entries = Array.from({ length: step.count }, (_value, at) => cycle(before + at + 1));
      for (let times = step.isRepeated ? 2 : 1; times > 0; times--)
        sent.open.push(writer.submit('sentinelagent', step.origin, entries, PEER));
      sent.last.set(step.origin, before + step.count);
      return writer;
    }
    case 'append':
      writer.append('procmond', scans(step.count));
      return writer;
    case 'checkpoint':
      writer.checkpoint();
      return writer;
    case 'rotate':
      writer.rotateKey();
      return writer;
    case 'archive':
      await writer.archive(ledger.nowMs);
      return writer;
    default:
      writer.stop();
      if (step.do === 'lose key') rmSync(ledger.keyPath);
      return openHere(ledger);
  }
}

const openHere = (ledger: LedgerFixture): LedgerWriter => ledger.open({ checkpointEntries: 64, signEntries: true });

/** The entries of all archives, each of which holds by itself, and of the ledger. */
function wholeHistory(ledger: LedgerFixture): AuditEntry[] {
  const names = existsSync(ledger.archiveDir) ? readdirSync(ledger.archiveDir) : [];
  const archived = names.flatMap((name) => {
    const { start, records } = openExport([readFileSync(join(ledger.archiveDir, name))]);
    const walk = createWalk(start, { trusted: null });
    return [...records].flatMap((record) => {
      expect(record.kind === 'entry' ? walk.entry(record.entry, record.body) : walk.checkpoint(record.row)).toBeNull();
      return record.kind === 'entry' ? [record.entry] : [];
    });
  });
  return [...archived, ...entriesOf(ledger.path)].toSorted((a, b) => a.sequence - b.sequence);
}

test('whatever is done in whatever order, the history holds, and what was sent is in it once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 25 }), async (steps) => {
      const ledger = createLedgerFixture();
      try {
        const sent: Sent = { last: new Map(), open: [] };
        let writer = openHere(ledger);
        for (const step of steps) writer = await take(step, writer, ledger, sent);
        writer.stop();
        await Promise.all(sent.open);
        writer = openHere(ledger);
        writer.checkpoint();
        expect(verifyFile(ledger.path)).toMatchObject({ ok: true, head: writer.head(), signedSize: writer.head().sequence });
        const history = wholeHistory(ledger);
        expect(history.map(({ sequence }) => sequence)).toEqual(history.map((_entry, index) => index + 1));
        for (const [origin, last] of sent.last) {
          const numbers = history.map((entry) => dataOf(entry)['origin'] as { id: string; sequence: number } | undefined);
          expect(numbers.filter((found) => found?.id === origin).map((found) => found?.sequence)).toEqual(
            Array.from({ length: last }, (_value, at) => at + 1),
          );
        }
        const kept = new Map(checkpointsOf(ledger.path).map(({ epoch, note }) => [epoch, note]));
        for (const { epoch, note } of ledger.notices) expect([note, undefined]).toContain(kept.get(epoch));
      } finally {
        ledger.remove();
      }
    }),
    { numRuns: 30, seed: 1 },
  );
}, 120_000);
