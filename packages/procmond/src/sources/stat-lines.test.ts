import { describe, expect, it } from 'vitest';
import { createStatLines, NO_SLOT } from './stat-lines.ts';

const buffer = Buffer.allocUnsafeSlow(1024);

/** Puts a line into the buffer, over whatever was there, and gives its length. */
const read = (line: string): number => buffer.write(line, 'latin1');

describe('createStatLines', () => {
  it('knows a line again, and no other', () => {
    const lines = createStatLines(buffer);
    const line = '12 (name) S 1 12 12 0\n';
    const slot = lines.keep(NO_SLOT, read(line));
    expect(lines.isSame(slot, read(line))).toBe(true);
    for (const other of ['12 (name) S 1 12 12 1\n', '12 (name) S 1 12 12\n', '12 (name) S 1 12 12 0 0\n', '13 (name) S 1 12 12 0\n', '\n'])
      expect(lines.isSame(slot, read(other)), other).toBe(false);
    expect(lines.isSame(slot, read(line))).toBe(true);
    expect(lines.isSame(NO_SLOT, read(line))).toBe(false);
  });

  it('is not misled by what a longer line left behind', () => {
    const lines = createStatLines(buffer);
    read('x'.repeat(200));
    const slot = lines.keep(NO_SLOT, read('1 (a) S\n1'.slice(0, -1)));
    read('y'.repeat(200));
    expect(lines.isSame(slot, read('1 (a) S\n'))).toBe(true);
  });

  it('keeps as many as there are processes, and gives slots away again', () => {
    const lines = createStatLines(buffer);
    const text = (pid: number): string => `${pid * 77} ${pid * 7} ${pid}\n`;
    const slots = Array.from({ length: 1000 }, (_, pid) => lines.keep(NO_SLOT, read(text(pid))));
    expect(new Set(slots).size).toBe(1000);
    expect(slots.every((slot, pid) => lines.isSame(slot, read(text(pid))))).toBe(true);
    lines.release(slots[7] ?? NO_SLOT);
    lines.release(NO_SLOT);
    expect(lines.keep(NO_SLOT, read(text(5000)))).toBe(slots[7]);
    expect(lines.keep(slots[8] ?? NO_SLOT, read(text(5001)))).toBe(slots[8]);
    expect(lines.isSame(slots[8] ?? NO_SLOT, read(text(5001)))).toBe(true);
    expect(lines.isSame(slots[9] ?? NO_SLOT, read(text(9)))).toBe(true);
  });

  it('keeps nothing of a line that is too long', () => {
    const lines = createStatLines(buffer);
    const slot = lines.keep(NO_SLOT, read('short\n'));
    expect(lines.keep(slot, read(`${'1'.repeat(500)}\n`))).toBe(NO_SLOT);
    expect(lines.isSame(slot, read(`${'1'.repeat(500)}\n`))).toBe(false);
  });
});
