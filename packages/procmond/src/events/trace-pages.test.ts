import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { missedEvents, parseTraceFormat, readTraceFields, walkTracePage, type TraceEntry } from './trace-pages.ts';

const FORMAT = `name: sched_process_exec
ID: 365
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;
\tfield:char comm[16];\toffset:16;\tsize:16;\tsigned:0;
\tfield:bool group_dead;\toffset:32;\tsize:1;\tsigned:0;

print fmt: "filename=%s pid=%d", __get_str(filename), REC->pid
`;
const format = parseTraceFormat(FORMAT);

/** A page as the kernel fills it: its time, how much it holds, and the events. */
function pageOf(timeNs: number, ...events: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(16);
  const data = Buffer.concat(events);
  head.writeBigUInt64LE(BigInt(timeNs), 0);
  head.writeUInt32LE(data.length, 8);
  return Buffer.concat([head, data, Buffer.alloc(64)]);
}
function word(type: number, delta: number, ...more: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * more.length);
  bytes.writeUInt32LE(((delta << 5) | type) >>> 0, 0);
  more.forEach((value, at) => bytes.writeUInt32LE(value, 4 + 4 * at));
  return bytes;
}
function entriesOf(page: Buffer): TraceEntry[] {
  const entries: TraceEntry[] = [];
  walkTracePage(page, page.length, (entry) => entries.push(entry));
  return entries;
}

describe('a page of the trace buffer', () => {
  it('gives each event with its time, whatever lies between', () => {
    const short = word(2, 5, 11, 12);
    const extend = word(30, 1, 1);
    const long = Buffer.concat([word(0, 7, 12), Buffer.from('12345678')]);
    const discarded = word(29, 100, 8, 0);
    const stamp = word(31, 3, 2);
    const page = pageOf(1000, short, extend, long, discarded, stamp, word(1, 4, 99));
    const entries = entriesOf(page);
    expect(entries.map(({ timeNs }) => timeNs)).toEqual([1005, 1005 + 2 ** 27 + 1 + 7, 2 * 2 ** 27 + 3 + 4]);
    expect(entries.map(({ start, end }) => page.subarray(start, end).length)).toEqual([8, 8, 4]);
    expect(page.toString('latin1', entries[1]?.start, entries[1]?.end)).toBe('12345678');
  });

  it('ends with its padding, and where it does not make sense', () => {
    expect(entriesOf(pageOf(0, word(1, 0, 1), word(29, 0), word(1, 0, 2)))).toHaveLength(1);
    expect(entriesOf(pageOf(0, word(1, 0, 1), word(28, 0)))).toHaveLength(1);
    expect(entriesOf(pageOf(0, word(0, 0, 0)))).toHaveLength(0);
    expect(entriesOf(Buffer.alloc(15))).toHaveLength(0);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 300 }), (bytes) => {
        const page = Buffer.from(bytes);
        page.writeUInt32LE(page.length, 8);
        for (const entry of entriesOf(page)) {
          expect(entry.start).toBeGreaterThanOrEqual(16);
          expect(entry.end).toBeLessThanOrEqual(page.length);
          if (format === null) return;
          const fields = readTraceFields(page, entry, format);
          expect(fields.text('filename').length).toBeLessThanOrEqual(page.length);
          expect(Number.isInteger(fields.number('pid'))).toBe(true);
        }
      }),
    );
  });

  it('says whether something is missing before it', () => {
    const page = pageOf(0, word(1, 0, 1));
    expect(missedEvents(page)).toBe(false);
    page.writeUInt32LE((page.readUInt32LE(8) | 0x8000_0000) >>> 0, 8);
    expect([missedEvents(page), entriesOf(page).length]).toEqual([true, 1]);
  });
});

describe('an event of the trace', () => {
  const event = Buffer.alloc(48);
  event.writeInt32LE(77, 12);
  event.writeInt32LE(-5, 4);
  event.write('na\nme\0rest', 16, 'latin1');
  event[32] = 1;
  event.writeUInt16LE(33, 8);
  event.writeUInt16LE(9, 10);
  event.write('/a pid=1\0', 33, 'latin1');
  const page = Buffer.concat([Buffer.alloc(20), event, Buffer.from('after')]);
  const entry = { timeNs: 0, start: 20, end: 68 };

  it('has its fields where the format says', () => {
    expect(format?.id).toBe(365);
    if (format === null) return;
    const fields = readTraceFields(page, entry, format);
    expect([fields.number('pid'), fields.number('common_pid'), fields.number('nothing')]).toEqual([77, -5, 0]);
    expect([fields.text('comm'), fields.text('filename'), fields.text('nothing')]).toEqual(['na\nme', '/a pid=1', '']);
    expect([fields.flag('group_dead'), fields.flag('nothing')]).toEqual([true, null]);
  });

  it('has nothing outside of itself', () => {
    if (format === null) throw new Error('no format');
    const cut = readTraceFields(page, { ...entry, end: 36 }, format);
    expect([cut.text('comm'), cut.text('filename'), cut.flag('group_dead')]).toEqual(['', '', null]);
  });

  it('has no format where the file is none', () => {
    expect([parseTraceFormat(''), parseTraceFormat('ID: 5\n'), parseTraceFormat(FORMAT.replace('ID', 'id'))]).toEqual([null, null, null]);
  });
});
