import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';
import { contradictionsOf, factsOf } from './contradictions.ts';
import { withLedger } from './ledger-view.ts';
import { readBounded, readCheckpointFile, readOutside } from './outside.ts';

let installation: Installation;
let mirror = '';
beforeEach(() => {
  installation = createInstallation();
  mirror = join(installation.paths.root, 'mirror.jsonl');
});
afterEach(() => installation.close());

const lineOf = (note: string): string => `${JSON.stringify({ seen: 1, note })}\n`;

describe('readOutside', () => {
  it('takes whatever a mirror holds, and finds what is whole behind it', () => {
    const [note = ''] = installation.makeSignedLedger(2, { checkpoints: [2] }).notes;
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text)),
      fc.integer({ min: 0, max: note.length }).map((end) => Buffer.from(lineOf(note).slice(0, end))),
    );
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 5 }), (parts) => {
        writeFileSync(mirror, Buffer.concat([...parts.flatMap((part) => [part, Buffer.from('\n')]), Buffer.from(lineOf(note))]));
        const [source] = readOutside(installation.paths, [mirror]);
        expect(source?.failure).toBeNull();
        expect(source?.seen.map(({ checkpoint }) => checkpoint.note)).toEqual([note]);
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  it('does not wait for a pipe that nobody writes to', () => {
    expect(spawnSync('mkfifo', [mirror]).status).toBe(0);
    expect(readOutside(installation.paths, [mirror])[0]?.failure).toBe('it is no ordinary file');
    expect(() => readBounded(mirror, 10, 'a proof')).toThrow('is not a proof');
  });

  it('reads a file up to its bound and not beyond', () => {
    writeFileSync(mirror, 'x'.repeat(10));
    expect(readBounded(mirror, 10, 'a text')).toBe('x'.repeat(10));
    expect(() => readBounded(mirror, 9, 'a text')).toThrow('is not a text');
    expect(() => readCheckpointFile(mirror)).toThrow('This is no signed checkpoint.');
  });
});

describe('contradictionsOf', () => {
  it('finds none in any checkpoint of the ledger itself, however it grew since', async () => {
    const { notes } = installation.makeSignedLedger(40, {
      checkpoints: [1, 1, 5, 8, 8, 8, 13, 34],
      entries: { 8: { action: 'key_rotate' } },
    });
    writeFileSync(mirror, notes.map(lineOf).join(''));
    const sources = readOutside(installation.paths, [mirror]);
    expect(sources[0]?.seen).toHaveLength(8);
    expect(await withLedger(installation.paths, (ledger) => contradictionsOf(factsOf(ledger), sources))).toEqual([]);
  });
});
