import { describe, expect, it } from 'vitest';
import { startProgress } from './progress.ts';
import { createStyles, severityStyle, wantsColour } from './styles.ts';
import { renderTable } from './table.ts';
import { createTerminal } from './terminal.ts';
import { localTime, roughDuration, roughSize, tableTime } from './times.ts';
import { indentText, paragraphsOf } from './wrap.ts';

describe('renderTable', () => {
  it('puts numbers to the right and texts to the left', () => {
    const { text, cut } = renderTable(
      ['pid', 'name'],
      [
        [1, 'init'],
        [4242, 'x'],
      ],
      { width: 80 },
    );
    expect(text).toBe(' pid  name\n   1  init\n4242  x\n');
    expect(cut).toBe(false);
  });

  it('takes room from the widest columns and says so', () => {
    const { text, cut } = renderTable(['id', 'name', 'cmdline'], [[1, 'short', 'x'.repeat(100)]], { width: 40 });
    expect(text.split('\n')[1]).toBe(` 1  short  ${'x'.repeat(28)}…`);
    expect(cut).toBe(true);
  });

  it('keeps columns whole that are to be typed elsewhere', () => {
    const { text } = renderTable(['id', 'name'], [['a-very-long-rule-id-of-thirty-char', 'n'.repeat(40)]], { width: 50, whole: ['id'] });
    expect(text).toContain('a-very-long-rule-id-of-thirty-char  nnnnnnnnnnnnn…');
  });

  it('shows records where columns do not fit side by side', () => {
    const columns = ['first_column', 'second_column', 'third_column', 'fourth_column'];
    const { text } = renderTable(columns, [['a', null, 3, 'd'.repeat(30)]], { width: 40, empty: 'NULL' });
    expect(text).toBe(
      `-- row 1\nfirst_column   a\nsecond_column  NULL\nthird_column   3\nfourth_column  ${'d'.repeat(25)}\n               ddddd\n`,
    );
  });

  it('cuts endless values of records', () => {
    const { text, cut } = renderTable(['a_long_name', 'another_name', 'cmd'], [['x'.repeat(5000), 'y'.repeat(30), 'z'.repeat(30)]], {
      width: 20,
    });
    expect(cut).toBe(true);
    expect(text.split('\n').length).toBeLessThan(40);
  });

  it('has a header where there are no rows', () => {
    expect(renderTable(['pid', 'name'], [], { width: 80 }).text).toBe('pid  name\n');
  });

  it('styles cells after they were measured', () => {
    const styles = createStyles(true);
    const { text } = renderTable(['a', 'b'], [['x', 'yy']], { width: 80, styles, cellStyles: { a: () => styles.red } });
    expect(text).toBe('\u001b[1ma\u001b[22m  \u001b[1mb\u001b[22m\n\u001b[31mx\u001b[39m  yy\n');
  });
});

describe('colour', () => {
  it.each([
    [true, {}, false, true],
    [false, {}, false, false],
    [true, {}, true, false],
    [true, { NO_COLOR: '1' }, false, false],
    [true, { NO_COLOR: '' }, false, true],
    [true, { TERM: 'dumb' }, false, false],
  ])('tty %j, environment %j, --no-color %j: %j', (isTty, environment, noColor, wanted) => {
    expect(wantsColour(isTty, environment, noColor)).toBe(wanted);
  });

  it('is not the only sign of severity, and an unknown one has none', () => {
    expect(severityStyle(createStyles(true), 'critical')('critical')).toContain('critical');
    expect(severityStyle(createStyles(true), 'toString')('x')).toBe('x');
  });
});

describe('createTerminal', () => {
  const streams = () => {
    const listeners: ((cause: Error) => void)[] = [];
    const written: string[] = [];
    const stdout = {
      isTTY: true,
      columns: 120,
      write: (text: string) => written.push(text),
      on: (_: string, listener: (cause: Error) => void) => listeners.push(listener),
    };
    return { stdout, written, listeners, stderr: { write: () => true, on: () => undefined } };
  };

  it('drops what nobody reads any more, and only that', () => {
    const { stdout, stderr, written, listeners } = streams();
    const failures: string[] = [];
    const onWriteFailure = ({ message, why }: Error & { readonly why: string }): number => failures.push(`${message}: ${why}`);
    const terminal = createTerminal({ stdout, stderr, environment: {}, noColor: true, onWriteFailure });
    terminal.out('a');
    listeners[0]?.(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    terminal.out('b');
    expect(written).toEqual(['a']);
    expect(failures).toEqual([]);
  });

  it('says once that the disk is full', () => {
    const { stdout, stderr, listeners } = streams();
    const failures: string[] = [];
    const onWriteFailure = ({ message, why }: Error & { readonly why: string }): number => failures.push(`${message}: ${why}`);
    createTerminal({ stdout, stderr, environment: {}, noColor: true, onWriteFailure });
    for (const listener of [listeners[0], listeners[0]]) listener?.(Object.assign(new Error('disk'), { code: 'ENOSPC' }));
    expect(failures).toEqual(['standard output cannot be written: the disk is full']);
  });

  it('finds the width: the terminal, COLUMNS without one, 80, within reason', () => {
    const { stdout, stderr } = streams();
    const widthOf = (isTTY: boolean, columns: number, environment: Record<string, string>): number =>
      createTerminal({ stdout: { ...stdout, isTTY, columns }, stderr, environment, noColor: true }).width;
    expect([
      widthOf(true, 120, {}),
      widthOf(false, 120, {}),
      widthOf(false, 0, { COLUMNS: '100' }),
      widthOf(true, 10, {}),
      widthOf(true, 0, {}),
      widthOf(false, 0, { COLUMNS: 'x' }),
    ]).toEqual([120, 80, 100, 40, 80, 80]);
  });
});

describe('text', () => {
  it('joins lines that were wrapped by hand', () => {
    expect(paragraphsOf('one\ntwo\n\nthree\n- a\n- b\n  more')).toEqual(['one two', '', 'three', '- a', '- b more']);
    expect(indentText(['one two three', ''], 12, '    ', 'k:  ')).toBe('k:  one two\n    three\n\n');
  });

  it('says times and sizes for people', () => {
    expect(localTime(Date.UTC(2026, 0, 2, 3, 4, 5))).toMatch(/^2026-01-0[123]T\d\d:\d\d:05[+-]\d\d:\d\d$/);
    expect(localTime(Number.NaN)).toBe('unknown time');
    expect(tableTime(Date.UTC(2026, 5, 2, 3, 4, 5), Date.UTC(2026, 5, 3))).toMatch(/^06-0[123] \d\d:\d\d:05$/);
    expect(tableTime(Date.UTC(2025, 5, 2, 3, 4, 5), Date.UTC(2026, 5, 3))).toMatch(/^2025-06-0/);
    expect([roughDuration(1500), roughDuration(300_000), roughDuration(10_800_000), roughDuration(5 * 86_400_000)]).toEqual([
      '2 s',
      '5 min',
      '3 h',
      '5 days',
    ]);
    expect([roughSize(12), roughSize(2048), roughSize(3_500_000), roughSize(2 ** 40)]).toEqual(['12 B', '2.0 KiB', '3.3 MiB', '1.0 TiB']);
  });
});

describe('startProgress', () => {
  it('draws on a terminal after a while, and leaves nothing behind', () => {
    const written: string[] = [];
    let now = 0;
    const progress = startProgress({ err: (text) => written.push(text), errIsTty: true }, 'verifying', 1024, () => now);
    progress.step(256);
    now = 400;
    progress.step(512);
    progress.step(513);
    progress.end();
    expect(written).toEqual([`\rverifying ${'#'.repeat(12)}${'.'.repeat(12)} 50 %`, '\r\u001b[K']);
  });

  it('says nothing into a file', () => {
    const written: string[] = [];
    const progress = startProgress({ err: (text) => written.push(text), errIsTty: false }, 'verifying', 1, () => 1e9);
    progress.step(256);
    progress.end();
    expect(written).toEqual([]);
  });
});
