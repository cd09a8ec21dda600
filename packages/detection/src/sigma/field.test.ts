import { describe, expect, it } from 'vitest';
import { renderLines } from './expression.ts';
import { compileField } from './field.ts';
import { LINUX_PROCESS_CREATION } from './target.ts';

function sqlOf(key: string, value: unknown): string {
  const compiled = compileField(key, value, LINUX_PROCESS_CREATION);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.faults));
  return renderLines(compiled.condition).join('\n');
}

describe('a field', () => {
  const cases: readonly (readonly [key: string, value: unknown, sql: string])[] = [
    ['Image', '/usr/bin/nc', "exe_path LIKE '/usr/bin/nc'"],
    ['Image|endswith', ['/nc', '/ncat'], "exe_path LIKE '%/nc' OR exe_path LIKE '%/ncat'"],
    ['CommandLine|contains|all', ['a', 'b'], "cmdline LIKE '%a%' AND cmdline LIKE '%b%'"],
    ['CommandLine|contains', 'a_b', "cmdline LIKE '%a!_b%' ESCAPE '!'"],
    ['ParentImage|startswith|cased', '/opt/', "parent_exe GLOB '/opt/*'"],
    ['ParentCommandLine', "it's", "parent_cmdline LIKE 'it''s'"],
    ['CommandLine|contains', 'É', "replace(cmdline, 'É', 'é') LIKE '%é%'"],
    ['CommandLine|contains', 'a\tb', "instr(lower(cmdline), 'a' || char(9) || 'b') > 0"],
    ['CommandLine|re', "a'b", "cmdline REGEXP 'a''b'"],
    ['CommandLine|re', '(?P<n>a)b', "cmdline REGEXP '(?<n>a)b'"],
    ['CommandLine|re', '\u202e', "cmdline REGEXP '\\u202e'"],
    ['ProcessId', 1, 'pid = 1'],
    ['ParentProcessId|gte', 2, 'ppid >= 2'],
    ['User', 'root', 'user_id = 0'],
    ['User', null, 'user_id IS NULL'],
    ['Image|exists', false, 'exe_path IS NULL'],
  ];
  it.each(cases)('%s: %j', (key, value, sql) => {
    expect(sqlOf(key, value)).toBe(sql);
  });

  const refused: readonly (readonly [key: string, value: unknown, message: RegExp, at: number | null])[] = [
    ['CurrentDirectory', '/tmp', /cannot be answered: an event does not say in which directory/, null],
    ['CommandLin', 'x', /no column answers this field/, null],
    ['toString', 'x', /no column answers this field/, null],
    ['', 'x', /keyword without a field/, null],
    ['|all', ['x'], /keyword without a field/, null],
    ['Image|constructor', 'x', /there is no modifier "constructor"/, null],
    ['Image|cidr', '10.0.0.0/8', /"cidr" cannot be converted: no column holds an address/, null],
    ['Image|expand', '%x%', /"expand" cannot be converted: what its placeholders/, null],
    ['Image|neq', 'x', /"neq" cannot be converted/, null],
    ['Image|contains|startswith', 'x', /"contains" and "startswith" exclude each other/, null],
    ['Image|re|exists', 'x', /"re" and "exists" exclude each other/, null],
    ['Image|re|contains', 'x', /"contains" and "re" exclude each other/, null],
    ['Image|re|cased', 'x', /"cased" and "re" exclude each other/, null],
    ['Image|re|windash', 'x', /"windash" and "re" exclude each other/, null],
    ['Image|i', 'x', /"i" belongs behind "re"/, null],
    ['Image|wide', 'x', /"wide" gives bytes that no field holds/, null],
    ['Image|wide|windash|base64', 'x', /"wide" gives bytes/, null],
    ['Image|base64|windash', 'x', /"windash" belongs before/, null],
    ['Image|re', 'x'.repeat(1_001), /longer than 1000 characters/, null],
    ['Image|base64', 'a*b', /has a wildcard, and "base64" encodes plain text alone/, null],
    ['Image|windash', ' -a -b -c -d -e', /more than 4 dashes, each of which "windash" writes in 5 ways/, null],
    ['Image', [], /list of values is empty/, null],
    ['Image', ['a', { b: 1 }], /neither a text nor a whole number/, 1],
    ['Image', 1.5, /neither a text nor a whole number/, null],
    ['Image', true, /neither a text nor a whole number/, null],
    ['Image|contains', null, /null is no value for these modifiers/, null],
    ['Image|gt', 1, /"gt" compares numbers, and this field is a text/, null],
    ['Image|exists', 'yes', /takes true or false/, null],
    ['Image|fieldref', 'Nothing', /"fieldref" names Nothing: no column answers/, null],
    ['Image|fieldref', 1, /takes the name of a field/, null],
    ['Image|fieldref', 'ProcessId', /compares a text with a number/, null],
    ['Image|contains', 'a*b*c*d*e*f*g*h', /9 times \*, at most 8/, null],
    ['Image|contains', `a*${'b'.repeat(1_000)}`, /wildcards and more than 1000 characters/, null],
    ['Image|contains', 'a*\u202e', /a wildcard and a control or invisible character/, null],
    ['ProcessId', 'x', /whole number, the value is none/, null],
    ['ProcessId|contains', 1, /this field is a number, and the modifier is for texts/, null],
    ['User', 'www-data', /only "root" as a whole/, null],
    ['User|contains', 'root', /only "root" as a whole/, null],
    ['Image|re|i', '(?x)a', /flag "x"/, null],
    ['Image|re', 'a(?i)b', /"\(\?i": JavaScript has no such group/, null],
    ['Image|re', '(?P=n)', /no such group/, null],
    ['Image|re', 'a{,3}', /some read it as a repetition/, null],
    ['Image|re', '(?>a)', /no such group/, null],
    ['Image|re', '(*FAIL)', /no such group/, null],
    ['Image|re', 'a++', /possessive/, null],
    ['Image|re', '\\Ga', /"\\G": JavaScript does not know it/, null],
    ['Image|re', '\\Q.\\E', /JavaScript does not know it/, null],
    ['Image|re', '\\x{41}', /not written so/, null],
    ['Image|re', '[[:alpha:]]', /named classes/, null],
    ['Image|re', '[😀]', /two characters to JavaScript/, null],
    ['Image|re', '[]a]', /ends the class/, null],
    ['Image|re', '[\\h]', /an escape in it/, null],
  ];
  it.each(refused)('is refused: %s: %j', (key, value, message, at) => {
    const compiled = compileField(key, value, LINUX_PROCESS_CREATION);
    expect(compiled).toMatchObject({ ok: false, faults: [{ at, message: expect.stringMatching(message) }] });
    if (!compiled.ok) expect(compiled.faults[0]?.hint).toMatch(/\.$/);
  });

  it('that is nearly one that is known is named', () => {
    const compiled = compileField('commandline', 'x', LINUX_PROCESS_CREATION);
    expect(compiled).toMatchObject({ ok: false, faults: [{ hint: expect.stringContaining('Did you mean "CommandLine"?') }] });
  });

  it('keeps a regular expression that both sides read alike', () => {
    const same = ['\\s-[^-\\s]{0,20}i', '(?:a|b)(?=c)(?!d)(?<=e)(?<!f)(?<n>g)', '[^\\]a-z.$]+?', '\\x41\\.\\/\\-"', '(?i:x)'];
    for (const pattern of same) expect(sqlOf('CommandLine|re', pattern)).toBe(`cmdline REGEXP '${pattern}'`);
  });
});
