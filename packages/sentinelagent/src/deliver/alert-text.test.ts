import { describe, expect, it } from 'vitest';
import { alertText } from './alert-text.ts';
import { exampleAlert } from './alert.fixture.ts';

describe('alertText', () => {
  it('says what, which rule, which process, and how to see the rest', () => {
    expect(alertText(exampleAlert())).toBe(
      [
        '2023-11-14 22:13:20Z  HIGH  Executable deleted while it runs  [deleted-executable]  T1070.004',
        '    pid 42 a\\x1b[2Jb, exe /tmp/x\\ny, user root, parent 1 sh',
        '    argv ["a\\u{202e}b","\\xff"]',
        '    alert 4 on web1; the whole of it: sentinelcli alerts show 4',
        '',
      ].join('\n'),
    );
  });

  it('cuts long strings and long lists', () => {
    const [process] = exampleAlert().processes;
    const processes = Array.from({ length: 9 }, () => ({ ...process, name: 'n'.repeat(5000) })) as ReturnType<
      typeof exampleAlert
    >['processes'];
    const text = alertText(exampleAlert({ processes }));
    expect(text).toContain('and 6 more');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(1000);
  });

  it('shows what is not known as such', () => {
    const [process] = exampleAlert().processes;
    const blank = { ...process, exePath: null, argv: null, user: null, ppid: null } as (typeof exampleAlert extends () => infer A
      ? A
      : never)['processes'][number];
    expect(alertText(exampleAlert({ processes: [blank], attack: [] }))).toContain('exe (unknown), user (unknown)\n');
  });
});
