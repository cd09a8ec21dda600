import fc from 'fast-check';
import { decodeHostBytes, encodeHostText } from '@sentineld/model/host-text';
import { describe, expect, it } from 'vitest';
import {
  emptyProcStat,
  isKernelThread,
  isText,
  parseProcStat,
  parseRunTime,
  processName,
  statusOf,
  WITHHELD_LAYOUT,
  type ProcStat,
} from './proc-stat.ts';

/** Fields 3 to 52 as Linux 6.18 wrote them for a shell; each can be replaced by its number in proc_pid_stat(5). */
const FIELDS =
  'S 100 200 300 34816 -1 4194560 900 0 1 0 7 5 0 0 20 0 1 0 123456 9000000 250 18446744073709551615 1001 2001 3001 0 0 0 0 4 65538 1 0 0 17 3 0 0 0 0 0 4001 5001 6001 7001 8001 9001 10001 0'.split(
    ' ',
  );

function line(name: Uint8Array | string, changes: Readonly<Record<number, string | number>> = {}): Buffer {
  const fields = FIELDS.map((value, index) => String(changes[index + 3] ?? value));
  return Buffer.concat([Buffer.from('42 ('), Buffer.from(name as string), Buffer.from(`) ${fields.join(' ')}\n`)]);
}

function parse(bytes: Buffer): { readonly stat: ProcStat; readonly name: string } | null {
  const stat = emptyProcStat();
  // As it is used: a larger buffer with the rest of something else behind the line.
  const buffer = Buffer.concat([bytes, Buffer.from(') Z 9 9 9 9 9 9 9 9 9')]);
  if (!parseProcStat(buffer, bytes.length, stat)) return null;
  return { stat, name: processName(buffer, stat.nameStart, stat.nameEnd, stat.flags) };
}

describe('parseProcStat', () => {
  it('reads the fields that are used', () => {
    expect(parse(line('sh'))?.stat).toMatchObject({
      state: 'S'.charCodeAt(0),
      ppid: 100,
      session: 300,
      ttyNumber: 34_816,
      flags: 4_194_560,
      cpuTicks: 12,
      startTicks: 123_456,
      virtualBytes: 9_000_000,
      rssPages: 250,
      layout: 1001 + 3 * 3001 + 5 * 4001 + 7 * 6001 + 11 * 7001,
    });
  });

  it('reads negative numbers, and numbers up to 2^53', () => {
    const stat = parse(line('sh', { 4: -1, 6: -300, 7: -1, 8: -1, 22: 2 ** 53 - 1, 24: -5 }))?.stat;
    expect(stat).toMatchObject({ ppid: -1, session: -300, ttyNumber: -1, startTicks: 2 ** 53 - 1, rssPages: -5 });
  });

  it('tells another layout for each address that an exec changes', () => {
    const layouts = [{}, { 26: 1002 }, { 28: 3002 }, { 45: 4002 }, { 47: 6002 }, { 48: 7002 }].map(
      (changes) => parse(line('sh', changes))?.stat.layout,
    );
    expect(new Set(layouts).size).toBe(6);
    // Exact up to the largest address there is.
    const top = 2 ** 47 - 1;
    const highest = { 26: top, 28: top, 45: top, 47: top, 48: top };
    expect(parse(line('sh', highest))?.stat.layout).not.toBe(parse(line('sh', { ...highest, 26: top - 1 }))?.stat.layout);
  });

  it('has the layout of what is withheld', () => {
    const nothing = { 26: 1, 27: 1, 28: 0, 45: 0, 46: 0, 47: 0, 48: 0 };
    expect(parse(line('sh', nothing))?.stat.layout).toBe(WITHHELD_LAYOUT);
    expect(parse(line('kthreadd', { ...nothing, 26: 0 }))?.stat.layout).toBeLessThan(WITHHELD_LAYOUT);
  });

  it.each([
    [') S 1 2 3 4 5', ') S 1 2 3 4 5'],
    ['a b c', 'a b c'],
    ['((((', '(((('],
    ['))))', '))))'],
    ['new\nline', 'new\nline'],
    ['\u001b[31mred', '\u001b[31mred'],
    ['ünï日本', 'ünï日本'],
    ['', ''],
    [' ', ' '],
  ])('reads the name %j', (name, expected) => {
    expect(parse(line(name))).toMatchObject({ name: expected, stat: { ppid: 100, startTicks: 123_456 } });
  });

  it('gives back whatever bytes a name has', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 15, min: 1 }), (bytes) => {
        const parsed = parse(line(bytes));
        expect(Buffer.from(encodeHostText(parsed?.name ?? '')).equals(Buffer.from(bytes))).toBe(true);
        expect(parsed?.stat).toMatchObject({ ppid: 100, startTicks: 123_456, cpuTicks: 12 });
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses a line that is cut, wherever', () => {
    const whole = line('a) b');
    const enough = whole.indexOf('7001') + 4;
    for (let length = 0; length < whole.length; length++) {
      const parsed = parse(whole.subarray(0, length));
      expect([length, parsed === null]).toEqual([length, length <= enough]);
    }
  });

  it.each(['', '42', '42 (', '42 (sh', '42 sh S 1', '42 (sh)', '42 (sh) ', '42 (sh) S', ')(', '()()', '42 (sh) S ) 1 2 3'])(
    'refuses %j',
    (text) => {
      expect(parse(Buffer.from(text))).toBeNull();
    },
  );

  it('takes any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => parse(Buffer.from(bytes))).not.toThrow();
      }),
    );
  });

  it('fills the object that it is given anew', () => {
    const stat = emptyProcStat();
    const [first, second] = [line('one'), line('two', { 14: 1, 15: 1, 26: 1, 28: 0, 45: 0, 47: 0, 48: 0 })];
    parseProcStat(first, first.length, stat);
    parseProcStat(second, second.length, stat);
    expect(stat).toMatchObject({ cpuTicks: 2, layout: 1 });
  });
});

describe('parseRunTime', () => {
  it.each([
    ['1560508751 3813361 17\n', true, { ranNs: 1_560_508_751, timesRun: 17 }],
    ['0 0 0\n', true, { ranNs: 0, timesRun: 0 }],
    ['', false, { ranNs: -1, timesRun: -1 }],
    ['5 6\n', false, { ranNs: 5, timesRun: -1 }],
  ])('of %j is %s', (text, expected, numbers) => {
    const into = { ranNs: -1, timesRun: -1 };
    expect(parseRunTime(Buffer.from(text), text.length, into)).toBe(expected);
    expect(into).toEqual(numbers);
  });
});

describe('processName', () => {
  const name = (text: string, flags: number): string => processName(Buffer.from(text, 'latin1'), 0, text.length, flags);
  const KERNEL = 0x0020_0000;

  it.each([
    ['kworker/0:1-events', 'kworker/0:1'],
    ['kworker/0:1H-kblockd', 'kworker/0:1H'],
    ['kworker/u8:3+flush-253:0', 'kworker/u8:3'],
    ['kworker/u17:0', 'kworker/u17:0'],
    ['kworker/R-rcu_gp', 'kworker/R-rcu_gp'],
    ['ksoftirqd/0', 'ksoftirqd/0'],
    ['irq/24-pciehp', 'irq/24-pciehp'],
  ])('of the kernel thread %s is %s', (text, expected) => {
    expect(name(text, KERNEL)).toBe(expected);
  });

  it('of a process that calls itself like a worker is left as it is', () => {
    expect(name('kworker/0:1-evil', 0)).toBe('kworker/0:1-evil');
  });

  it('loses nothing of bytes that are no UTF-8', () => {
    const bytes = Buffer.of(0x78, 0xff, 0x79);
    expect(processName(bytes, 0, 3, 0)).toBe(decodeHostBytes(bytes));
  });
});

describe('isText', () => {
  it.each([
    ['name', 'name', true],
    ['name', 'nams', false],
    ['name', 'nam', false],
    ['name', 'names', false],
    ['', '', true],
    // Text beyond ASCII is never told from its bytes alone.
    ['\xe9', '\xe9', false],
  ])('of %j against %j is %s', (bytes, text, expected) => {
    const buffer = Buffer.from(`(${bytes})`, 'latin1');
    expect(isText(buffer, 1, buffer.length - 1, text)).toBe(expected);
  });
});

describe('statusOf', () => {
  it('has a word for each letter', () => {
    const letters = ['R', 'S', 'D', 'Z', 'T', 't', 'I', 'X', 'x', '?', ''];
    expect(letters.map((letter) => statusOf(letter.charCodeAt(0)))).toEqual([
      'running',
      'sleeping',
      'disk_sleep',
      'zombie',
      'stopped',
      'traced',
      'idle',
      'dead',
      'dead',
      'unknown',
      'unknown',
    ]);
  });
});

describe('isKernelThread', () => {
  it('is told by the flag, not by the name', () => {
    expect(isKernelThread({ ...emptyProcStat(), flags: 0x0020_8040 })).toBe(true);
    expect(isKernelThread({ ...emptyProcStat(), flags: 0x0040_0100 })).toBe(false);
  });
});
