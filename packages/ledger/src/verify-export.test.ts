import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openExport } from './export-file.ts';
import { checkpointsOf, entriesOf, exportLinesOf } from './fixtures/ledger-files.ts';
import { makeLedger, type MadeLedger, type Step } from './fixtures/make-ledger.ts';
import type { VerifierKey } from './note.ts';
import { verifyExport, type ExportVerification } from './verify-export.ts';

const verify = (lines: readonly string[], trusted: readonly VerifierKey[] | null = null): ExportVerification =>
  verifyExport(openExport([Buffer.from(lines.join(''))]), trusted);

/** Whether it holds; a file that has not its form does not. */
function holds(lines: readonly string[]): boolean {
  try {
    return verify(lines).ok;
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'ledger.input' });
    return false;
  }
}

const anyStep: fc.Arbitrary<Step> = fc.constantFrom('entry', 'entry', 'body', 'checkpoint', 'rotate', 'create');
const anyLedger: fc.Arbitrary<MadeLedger> = fc
  .tuple(fc.nat(2), fc.array(anyStep, { maxLength: 20 }), fc.boolean())
  .map(([old, steps, signEntries]) => {
    const before: Step[] = old === 0 ? [] : [...Array.from({ length: old }, (): Step => 'old'), 'create'];
    return makeLedger([...before, ...steps, 'checkpoint'], { signEntries });
  });
/** Its lines from any entry on. */
const anyExport: fc.Arbitrary<string[]> = fc
  .tuple(anyLedger, fc.nat())
  .map(([ledger, where]) => exportLinesOf(ledger, (where % entriesOf(ledger).length) + 1));

describe('any export of any ledger', () => {
  test('holds from any entry on', () => {
    fc.assert(
      fc.property(anyLedger, fc.nat(), (ledger, where) => {
        const from = (where % entriesOf(ledger).length) + 1;
        const result = verify(exportLinesOf(ledger, from));
        expect(result).toMatchObject({ ok: true, failure: null, header: { from, to: checkpointsOf(ledger).at(-1)?.treeSize } });
        expect(result.entries).toBe(entriesOf(ledger).length - from + 1);
      }),
      { seed: 41, numRuns: 150 },
    );
  });

  test('does not hold with a line left out, twice, or in the place of the next', () => {
    fc.assert(
      fc.property(anyExport, fc.nat(), (lines, where) => {
        const at = where % lines.length;
        const [line = '', next = ''] = lines.slice(at, at + 2);
        expect(holds(lines.toSpliced(at, 1))).toBe(false);
        expect(holds(lines.toSpliced(at, 0, line))).toBe(false);
        if (next !== '') expect(holds(lines.toSpliced(at, 2, next, line))).toBe(false);
      }),
      { seed: 42, numRuns: 150 },
    );
  });

  test('does not hold with one byte of an entry, a checkpoint or the end changed', () => {
    fc.assert(
      fc.property(anyExport, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 127 }), (lines, which, where, mask) => {
        const at = 1 + (which % (lines.length - 1));
        const bytes = Buffer.from((lines[at] ?? '').trimEnd());
        const changed = bytes.map((byte, index) => (index === where % bytes.length ? byte ^ mask : byte));
        expect(holds(lines.with(at, `${Buffer.from(changed).toString('utf8')}\n`))).toBe(false);
      }),
      { seed: 43, numRuns: 400 },
    );
  });
});

describe('keys to trust', () => {
  const ledger = makeLedger(['entry', 'rotate', 'entry', 'checkpoint', 'create', 'entry', 'checkpoint']);
  const [first, second, third] = ledger.signers.map(({ key }) => key);
  const lines = exportLinesOf(ledger);
  const trusting = (...keys: readonly (VerifierKey | undefined)[]): ExportVerification =>
    verify(
      lines,
      keys.filter((key) => key !== undefined),
    );

  test('a key that nobody announced is a failure for whoever trusts those before it', () => {
    expect(trusting(first)).toMatchObject({ ok: false, failure: { what: 'key', sequence: 5 } });
    expect(trusting(second)).toMatchObject({ ok: false, failure: { what: 'key', sequence: 5 } });
  });

  test('and a note for all others', () => {
    expect(trusting(first, third)).toMatchObject({ ok: true, notes: [expect.stringContaining('no key before it announced it')] });
    expect(trusting(third).ok).toBe(true);
    expect(verify(lines)).toMatchObject({ ok: true, notes: [expect.stringContaining('no key before it announced it')] });
  });

  test('keys that the header tells of ahead count only as the entries announce them', () => {
    for (const from of [2, 3, 4]) {
      const part = exportLinesOf(ledger, from);
      const all = ledger.signers.map(({ key }, index) => ({ key: key.text, first_epoch: [1, 2, 3][index] }));
      const told = (part[0] ?? '').replace(/"keys":\[.*\]/, `"keys":${JSON.stringify(all)}`);
      expect(
        verify(
          part.with(0, told),
          ledger.signers.slice(1).map(({ key }) => key),
        ),
      ).toMatchObject({ ok: true, notes: [expect.stringContaining('no key before it')] });
      expect(verify(part.with(0, told), first === undefined ? [] : [first])).toMatchObject({ ok: false, failure: { what: 'key' } });
    }
  });

  test('what no trusted key covers is named from its first entry on', () => {
    const part = exportLinesOf(makeLedger(['entry', 'checkpoint', 'entry', 'checkpoint']), 3);
    const strangers = makeLedger(['entry'], { word: 'others' }).signers.map(({ key }) => key);
    expect(verify(part, strangers)).toMatchObject({ ok: false, failure: { what: 'key', line: null } });
  });
});

describe('the header, which nobody signs', () => {
  const lines = exportLinesOf(makeLedger(['entry', 'checkpoint']));
  const header = (from: string, to: string): string[] => lines.with(0, (lines[0] ?? '').replaceAll(from, to));

  test('of another host is worth a note; from the middle the host is not known', () => {
    expect(verify(lines).notes).toEqual([]);
    expect(verify(header('web-1', 'web-2'))).toMatchObject({ ok: true, notes: [expect.stringContaining('The header is of host web-2')] });
    const part = exportLinesOf(makeLedger(['entry', 'checkpoint', 'entry', 'checkpoint']), 3);
    expect(verify(part).cannotShow.join('\n')).toContain('Which host it is from');
  });

  test('of another ledger does not hold', () => {
    const named = (lines[0] ?? '').replace(/"keys":\[.*\]/, '"keys":[]').replaceAll('3b241101-e2bb-4255-8caf-4136c566a962', 'another');
    expect(verify(lines.with(0, named))).toMatchObject({ ok: false, failure: { sequence: 1, what: 'field' } });
  });
});
