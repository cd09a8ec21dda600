import { describe, expect, test } from 'vitest';
import { exportEntryLine, exportHeaderLine, openExport, type ExportRecord } from './export-file.ts';
import { checkpointsOf, entriesOf, exportLinesOf } from './fixtures/ledger-files.ts';
import { HOST_ID, LEDGER_ID, makeLedger } from './fixtures/make-ledger.ts';
import { emptyRange } from './merkle.ts';

const ledger = makeLedger(['old', 'old', 'create', 'entry', 'checkpoint', 'checkpoint', 'body', 'rotate', 'entry', 'checkpoint', 'entry']);
const lines = exportLinesOf(ledger);
const MAX_LINE = 2 * 1024 * 1024;

/** The file in pieces of so many bytes. */
function* pieces(text: string, size = 7): Generator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const read = (text: string, size?: number): ExportRecord[] => [...openExport(pieces(text, size)).records];
const inputError = (why: RegExp): unknown => expect.objectContaining({ code: 'ledger.input', why: expect.stringMatching(why) });
/** The lines with a member of one of them changed. */
function changed(line: number, change: (members: Record<string, unknown>) => void): string {
  const members = JSON.parse(lines[line - 1] ?? '') as Record<string, unknown>;
  change(members);
  return lines.with(line - 1, `${JSON.stringify(members)}\n`).join('');
}

describe('an export', () => {
  test.each([1, 3, 64, 1_000_000])('is read as it was written, in pieces of %i bytes', (size) => {
    const { header, start, records } = openExport(pieces(lines.join(''), size));
    expect(header).toMatchObject({ ledgerId: LEDGER_ID, hostId: HOST_ID, from: 1, to: 7 });
    expect(start).toEqual({
      sequence: 0,
      entryHash: new Uint8Array(32),
      range: emptyRange(),
      epoch: 0,
      ledgerId: null,
      keys: [],
      isSigned: false,
    });
    const all = [...records];
    expect(all.map(({ line }) => line)).toEqual(Array.from({ length: all.length }, (_, index) => index + 2));
    const covered = ledger.records.filter((record) => record.kind === 'checkpoint' || record.entry.sequence <= 7);
    expect(all.map(({ kind }) => kind)).toEqual(covered.map(({ kind }) => kind));
    const entries = all.flatMap((record) => (record.kind === 'entry' ? [exportEntryLine(record)] : []));
    expect(entries).toEqual(entriesOf(ledger).slice(0, 7).map(exportEntryLine));
    const notes = all.flatMap((record) => (record.kind === 'checkpoint' ? [record.row.note] : []));
    expect(notes).toEqual(checkpointsOf(ledger).map(({ note }) => note));
  });

  test('has the members of docs/ledger-format.md, in its order', () => {
    expect(Object.keys(JSON.parse(lines[0] ?? ''))).toEqual([
      'type',
      'format',
      'version',
      'origin',
      'ledger_id',
      'host_id',
      'from',
      'to',
      'start',
      'keys',
    ]);
    expect(Object.keys(JSON.parse(lines[0] ?? '').start)).toEqual(['sequence', 'entry_hash', 'tree_range']);
    const entry =
      'type,sequence,timestamp,format_version,epoch,key_id,actor,action,payload_hash,prev_hash,entry_hash,signature,event_data'.split(',');
    expect(Object.keys(JSON.parse(lines[1] ?? ''))).toEqual(entry);
    const byType = (type: string): unknown => JSON.parse(lines.find((line) => line.startsWith(`{"type":"${type}"`)) ?? '{}');
    expect(Object.keys(byType('checkpoint') as object)).toEqual(['type', 'epoch', 'tree_size', 'timestamp', 'note']);
    expect(byType('end')).toEqual({ type: 'end', entries: 7, checkpoints: 4 });
    expect(lines.filter((line) => line.includes('"body":"'))).toHaveLength(1);
  });

  test('from the middle starts where its first checkpoint or entry says', () => {
    const afterCheckpoint = openExport(pieces(exportLinesOf(ledger, 5).join(''))).start;
    expect(afterCheckpoint).toMatchObject({ sequence: 4, epoch: 1, ledgerId: LEDGER_ID, isSigned: true, range: { size: 4 } });
    expect(afterCheckpoint.keys).toHaveLength(1);
    expect(openExport(pieces(exportLinesOf(ledger, 4).join(''))).start).toMatchObject({ sequence: 3, epoch: 0, isSigned: true });
    expect(openExport(pieces(exportLinesOf(ledger, 2).join(''))).start).toMatchObject({ sequence: 1, epoch: 0, isSigned: false, keys: [] });
  });

  test('may lack the line feed of its last line, and have carriage returns', () => {
    expect(read(lines.join('').slice(0, -1))).toHaveLength(lines.length - 2);
    expect(read(lines.join('').replaceAll('\n', '\r\n'))).toHaveLength(lines.length - 2);
  });
});

describe('an export that is not all there', () => {
  const truncated = expect.objectContaining({ code: 'ledger.input', message: expect.stringContaining('This export is truncated') });

  test('cut after any line, it is truncated', () => {
    for (let count = 1; count < lines.length; count++) expect(() => read(lines.slice(0, count).join(''))).toThrow(truncated);
  });

  test('empty, it says so', () => {
    expect(() => read('')).toThrow(expect.objectContaining({ message: 'This file is empty.' }));
  });

  test('cut within any line, it is refused with the number of that line', () => {
    for (let at = 0; at < lines.length; at++) {
      const text = lines.slice(0, at).join('') + (lines[at] ?? '').slice(0, 20);
      expect(() => read(text)).toThrow(inputError(new RegExp(`^line ${at + 1}: it is not JSON`)));
    }
  });

  test.each<[string, string, RegExp]>([
    ['an entry less than the end says', lines.toSpliced(1, 1).join(''), /the end says 7 entries, and 6 came/],
    [
      'a checkpoint less',
      lines.filter((line) => !line.includes('"epoch":2,"tree_size"')).join(''),
      /the end says 4 checkpoints, and 3 came/,
    ],
    ['fewer entries than the header says', changed(1, (header) => (header['to'] = 8)), /the last entry is 8, and it is 7/],
    ['something after the end', `${lines.join('')}{}\n`, /something follows the end/],
  ])('%s', (_name, text, why) => {
    expect(() => read(text)).toThrow(inputError(why));
  });

  test('entries that no checkpoint covers', () => {
    const uncovered = changed(lines.length, (end) => (end['checkpoints'] = 3));
    const text = uncovered
      .split('\n')
      .filter((line) => !line.includes('"tree_size":7'))
      .join('\n');
    expect(() => read(text)).toThrow(inputError(/the last checkpoint does not cover the entries up to 7/));
  });
});

describe('hostile exports', () => {
  const header = (change: (members: Record<string, unknown>) => void): string => changed(1, change);

  test.each<[string, string, RegExp]>([
    ['garbage', '\u0000\u0001\u0002\n', /line 1: it is not JSON/],
    ['no object', '[]\n', /line 1: the line is no JSON object/],
    ['another format', header((members) => (members['format'] = 'x')), /line 1: its `format` is not sentineld-ledger-export/],
    ['no header', lines.slice(1).join(''), /line 1: its `format`/],
    ['another origin', header((members) => (members['origin'] = 'sentineld-ledger/x')), /`origin` is not that of `ledger_id`/],
    ['from 0', header((members) => (members['from'] = 0)), /`from` of the line is not a whole number from 1/],
    ['to below from', header((members) => (members['to'] = 0)), /`to` of the line/],
    ['a start elsewhere', header((members) => (members['from'] = 2)), /it starts after entry 0, and `from` is 2/],
    ['a start that is no object', header((members) => (members['start'] = [])), /`start` of the line is no JSON object/],
    [
      'a tree of another size',
      header((members) => (members['start'] = { sequence: 0, entry_hash: '00'.repeat(32), tree_range: ['00'.repeat(32)] })),
      /not the compact range of 0/,
    ],
    [
      'a tree of numbers',
      header((members) => (members['start'] = { sequence: 0, entry_hash: '00'.repeat(32), tree_range: [1] })),
      /not the compact range/,
    ],
    [
      'a million nodes',
      header((members) => (members['start'] = { sequence: 0, entry_hash: '00'.repeat(32), tree_range: Array(10_000).fill('') })),
      /not the compact range/,
    ],
    [
      'an entry before the first',
      header((members) => (members['start'] = { sequence: 0, entry_hash: '01'.repeat(32), tree_range: [] })),
      /before entry 1 is not zero/,
    ],
    ['keys that are none', header((members) => (members['keys'] = [{ key: 'x', first_epoch: 1 }])), /key 1 cannot be taken/],
    ['an unknown type', changed(3, (entry) => (entry['type'] = 'more')), /line 3: its `type` is not entry, checkpoint or end/],
    ['an entry without an actor', changed(3, (entry) => delete entry['actor']), /line 3: the line has no `actor`/],
    ['entry 0', changed(3, (entry) => (entry['sequence'] = 0)), /line 3: `sequence` of the line is not a whole number from 1/],
    ['a body that is no text', changed(3, (entry) => (entry['body'] = 5)), /line 3: `body` of the line is not text/],
    [
      'a member of every object',
      changed(3, (entry) => delete entry['action']).replace('"key_id"', '"toString":1,"key_id"'),
      /line 3: the line has no `action`/,
    ],
    ['a checkpoint without a note', changed(6, (checkpoint) => delete checkpoint['note']), /line 6: the line has no `note`/],
    ['an empty line', lines.toSpliced(2, 0, '\n').join(''), /line 3: it is not JSON/],
  ])('%s', (_name, text, why) => {
    expect(() => read(text)).toThrow(inputError(why));
  });

  test('of an unknown version: which, and what to do', () => {
    expect(() => read(header((members) => (members['version'] = 7)))).toThrow(
      expect.objectContaining({
        message: 'This export is of version 7, which is not known here.',
        hint: expect.stringContaining('sentinel-verify'),
      }),
    );
  });

  test('bytes that are not UTF-8 are refused with the number of their line', () => {
    const bytes = Buffer.concat([Buffer.from(lines[0] ?? ''), Buffer.from([0x7b, 0xff, 0x7d, 0x0a])]);
    expect(() => [...openExport([bytes]).records]).toThrow(inputError(/line 2 is not UTF-8 text/));
  });

  test('a line without an end is given up at the bound, whatever follows', () => {
    let given = 0;
    function* endless(): Generator<Uint8Array> {
      yield Buffer.from(lines[0] ?? '');
      for (;;) {
        given += 65_536;
        yield Buffer.alloc(65_536, 0x20);
      }
    }
    expect(() => openExport(endless())).toThrow(inputError(/line 2 is longer than 2097152 bytes/));
    expect(given).toBeLessThanOrEqual(MAX_LINE + 65_536);
  });

  test('a line of exactly the bound is read, one more byte is not', () => {
    const padded = (more: number): string => {
      const line = (lines[1] ?? '').trimEnd();
      return lines.with(1, `${line}${' '.repeat(MAX_LINE - Buffer.byteLength(line) + more)}\n`).join('');
    };
    expect(read(padded(0), 65_536)).toHaveLength(lines.length - 2);
    expect(() => read(padded(1), 65_536)).toThrow(inputError(/line 2 is longer/));
  });
});

test('an entry that could not be read again is not exported', () => {
  const [made] = entriesOf(ledger);
  if (made === undefined) throw new Error('the ledger has an entry');
  const eventData = JSON.stringify({ x: '"'.repeat(MAX_LINE / 2) });
  expect(() => exportEntryLine({ entry: { ...made.entry, eventData }, body: null })).toThrow(
    expect.objectContaining({ code: 'ledger.broken', context: { sequence: 1, why: expect.stringContaining('bytes in an export') } }),
  );
});

test('a header is made for an empty start too', () => {
  const line = exportHeaderLine({
    ledgerId: 'L',
    hostId: 'h',
    from: 1,
    to: 1,
    entryHash: new Uint8Array(32),
    range: emptyRange(),
    keys: [],
  });
  expect(JSON.parse(line)).toMatchObject({
    origin: 'sentineld-ledger/L',
    start: { sequence: 0, entry_hash: '00'.repeat(32), tree_range: [] },
    keys: [],
  });
});
