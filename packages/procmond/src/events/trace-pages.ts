/**
 * Reads what a trace instance hands out as it lies in the kernel's ring buffer: pages of events, each field at its
 * offset. The text that the kernel makes of it cannot be trusted, because the name of a program may hold a newline and
 * after it a whole line of another event; here no byte of a name is anything but a part of that name.
 */

/** A field of an event: where it is, or with `isDynamic` where its place is written (16 bits of offset, 16 of length). */
export type TraceField = { readonly offset: number; readonly size: number; readonly isDynamic: boolean };
export type TraceFormat = { readonly id: number; readonly fields: ReadonlyMap<string, TraceField> };

const FIELD = /^\tfield:(.*?)\b(\w+)(?:\[\d*\])?;\toffset:(\d+);\tsize:(\d+);/;

/** Parses a file events/GROUP/NAME/format; null where it is none. */
export function parseTraceFormat(text: string): TraceFormat | null {
  const id = /^ID: (\d+)$/m.exec(text)?.[1];
  const fields = new Map<string, TraceField>();
  for (const line of text.split('\n')) {
    const [, type = '', name, offset, size] = FIELD.exec(line) ?? [];
    if (name !== undefined) fields.set(name, { offset: Number(offset), size: Number(size), isDynamic: type.startsWith('__data_loc') });
  }
  return id === undefined || !fields.has('common_type') ? null : { id: Number(id), fields };
}

/** One event of a page: its bytes are those from `start` to `end` of the buffer. */
export type TraceEntry = { readonly timeNs: number; readonly start: number; readonly end: number };

// The header of a page (events/header_page) and of an event (events/header_event); ring_buffer.h.
const DATA_START = 16;
const COMMIT_LENGTH = 0x7ff_ffff;
const MISSED_EVENTS = 31;
const TYPE_PADDING = 29;
const TYPE_TIME_EXTEND = 30;
const TYPE_TIME_STAMP = 31;
const DELTA_BITS = 2 ** 27;
/** The upper five bits of an absolute time stamp are those of the page's. */
const STAMP_BITS = 2 ** 59;

/** Whether events before this page were overwritten before they could be read. */
export function missedEvents(page: Buffer): boolean {
  return page.readUInt32LE(8) >>> MISSED_EVENTS === 1;
}

/** Calls `found` for each event of a page of `length` bytes. Stops where the page does not make sense. */
export function walkTracePage(page: Buffer, length: number, found: (entry: TraceEntry) => void): void {
  if (length < DATA_START) return;
  const pageNs = page.readUInt32LE(4) * 0x1_0000_0000 + page.readUInt32LE(0);
  const end = Math.min(length, DATA_START + (page.readUInt32LE(8) & COMMIT_LENGTH));
  let timeNs = pageNs;
  for (let at = DATA_START; at + 4 <= end;) {
    const header = page.readUInt32LE(at);
    const type = header & 31;
    const delta = header >>> 5;
    const needsWord = type === 0 || type >= TYPE_PADDING;
    if (needsWord && at + 8 > end) return;
    const word = needsWord ? page.readUInt32LE(at + 4) : 0;
    if (type === TYPE_PADDING && delta === 0) return;
    if (type === TYPE_TIME_STAMP) timeNs = pageNs - (pageNs % STAMP_BITS) + word * DELTA_BITS + delta;
    else timeNs += type === TYPE_TIME_EXTEND ? word * DELTA_BITS + delta : delta;
    const start = at + (type === 0 ? 8 : 4);
    const next = at + 4 + lengthAfterHeader(type, word);
    if (next <= at + 4 || next > end) return;
    if (type < TYPE_PADDING) found({ timeNs, start, end: next });
    at = next;
  }
}

function lengthAfterHeader(type: number, word: number): number {
  if (type === 0 || type === TYPE_PADDING) return word;
  return type >= TYPE_TIME_EXTEND ? 4 : 4 * type;
}

/** Reads fields of one event. A field that is not there, or not inside the event, is 0 or empty. */
export type TraceFields = {
  readonly number: (name: string) => number;
  readonly flag: (name: string) => boolean | null;
  /** One character for each byte, up to the first NUL. */
  readonly text: (name: string) => string;
};

export function readTraceFields(page: Buffer, { start, end }: TraceEntry, { fields }: TraceFormat): TraceFields {
  const place = (name: string): { readonly from: number; readonly to: number } | null => {
    const field = fields.get(name);
    if (field === undefined || start + field.offset + field.size > end) return null;
    const from = start + field.offset;
    if (!field.isDynamic) return { from, to: from + field.size };
    if (field.size !== 4) return null;
    return { from: start + page.readUInt16LE(from), to: start + page.readUInt16LE(from) + page.readUInt16LE(from + 2) };
  };
  return {
    number: (name) => {
      const found = place(name);
      return found === null || found.to - found.from < 4 ? 0 : page.readInt32LE(found.from);
    },
    flag: (name) => {
      const found = place(name);
      return found === null ? null : page[found.from] !== 0;
    },
    text: (name) => {
      const found = place(name);
      if (found === null || found.to > end) return '';
      const nul = page.indexOf(0, found.from);
      return page.toString('latin1', found.from, nul < 0 ? found.to : Math.min(nul, found.to));
    },
  };
}
