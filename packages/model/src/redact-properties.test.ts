import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor, REDACTED } from './redact.ts';

const redact = createRedactor({ enabled: true, names: [], patterns: [] });

describe('properties', () => {
  const pieces = fc.oneof(
    fc.constantFrom(
      ...`--password|--token=|-p|-u|mysql|curl|sshpass|sh|-c|password=|; | |"|'|\\|:|@|&`.split('|'),
      ...`://|Authorization: |Bearer |x|=|?|${REDACTED}|[|]|eyJ|.|ghp_|send|expect|a1|\n|-|/|%`.split('|'),
    ),
    fc.string({ maxLength: 6 }),
  );
  const argument = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''));
  const argvs = fc.array(argument, { maxLength: 8 });

  it('keeps the number of arguments, and gives back what it made as it is', () => {
    fc.assert(
      fc.property(argvs, (argv) => {
        const once = redact(argv);
        expect(once.argv).toHaveLength(argv.length);
        const twice = redact(once.argv);
        expect(twice.argv).toEqual(once.argv);
        expect(twice.redacted).toBe(0);
        if (once.redacted === 0) expect(once.argv).toBe(argv);
        else expect(once.argv).not.toEqual(argv);
      }),
      { numRuns: 1500 },
    );
  });

  /** A secret that no other text holds, as people choose them: it may hold any sign that its place allows. */
  const secretOf = (signs: string): fc.Arbitrary<string> =>
    fc
      .array(fc.constantFrom(...Array.from(`abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789${signs}`)), {
        minLength: 12,
        maxLength: 40,
      })
      .map((letters) => `S${letters.join('')}Q`);
  /** Not even five signs of it. */
  const expectGone = (argv: string[], secret: string): void => {
    const left = redact(argv).argv.join('\n');
    for (let i = 0; i + 5 <= secret.length; i++) expect(left).not.toContain(secret.slice(i, i + 5));
  };
  const anywhere: readonly (readonly [string, (secret: string) => string[]])[] = [
    ['an option', (secret) => ['app', `--password=${secret}`]],
    ['a word', (secret) => ['app', '--gitlab-token', secret, 'next']],
    ['a quoted value', (secret) => ['sh', '-c', `run --token '${secret}' next`]],
    ['JSON', (secret) => ['curl', '-d', `{"a":"b","password":"${secret}","c":1}`]],
    ['a header', (secret) => ['curl', '-H', `Authorization: Bearer ${secret}`]],
    ['a key', (secret) => ['app', '--api-key', secret]],
    ['mysql', (secret) => ['sudo', 'mysql', `-p${secret}`]],
    ['sshpass', (secret) => ['sshpass', '-p', secret, 'ssh', 'h']],
    ['curl', (secret) => ['curl', '-u', `bob:${secret}`, 'h']],
    ['smbclient', (secret) => ['smbclient', '-U', `bob%${secret}`]],
    ['openssl', (secret) => ['openssl', 'enc', '-pass', `pass:${secret}`]],
  ];
  it.each(anywhere)('no secret survives in %s', (_, argvOf) => {
    fc.assert(
      fc.property(secretOf('!#$%&()*+,-./:;<=>?@[]^_`{|}~ '), (secret) => {
        expectGone(argvOf(secret), secret);
      }),
    );
  });
  const words: readonly (readonly [string, (secret: string) => string[]])[] = [
    ['a variable', (secret) => ['env', `DB_PASSWORD=${secret}`, 'cmd']],
    ['a line of shell', (secret) => ['sh', '-c', `DB_PASSWORD=${secret} mysql -p${secret} --token ${secret} --secret=${secret} x`]],
    ['a connection string', (secret) => ['app', `Server=a;Password=${secret};Database=b`, `host=a password=${secret} dbname=b`]],
    ['a URL', (secret) => ['psql', `postgres://bob:${secret}@h/db?user=a&password=${secret}&b=1`]],
    ['an option list', (secret) => ['mount', '-o', `username=a,password=${secret},rw`]],
    ['a nested line', (secret) => ['ssh', 'h', `sudo sh -c "mysql -p${secret} -e 'x y'"`]],
    ['a Windows option', (secret) => ['app.exe', `/password:${secret}`, '-Password', secret]],
  ];
  it.each(words)('no secret survives in %s', (_, argvOf) => {
    fc.assert(
      fc.property(secretOf('!$%*+-.^_~'), (secret) => {
        expectGone(argvOf(secret), secret);
      }),
    );
  });
});

describe('hostile arguments', () => {
  const stepsOf = (argv: readonly string[]): number => {
    let sum = 0;
    createRedactor({ enabled: true, names: [], patterns: [] }, (steps) => {
      sum += steps;
    })(argv);
    return sum;
  };
  const full = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
  const units = [
    `=|:|"|'| |\\|-|a|@|/|://|x://a:b/|x://a@|password=|password:|password= |a=|;|; |&a|?a=|&sig=|;a| a |"" |'' | \\"`,
    `private-key=/|private-key:/x |password="|password='|"password":|Authorization: |Authorization: Bearer |[redacted]`,
    `eyJ|eyJ-|eyJaaaaaa.|ghp_|glpat-|AIza|xoxb-|-----BEGIN |-----BEGIN PRIVATE KEY-----|password=[redacted] |é|\ud800|\0`,
    `--password |'a "|"a 'b|mysql -p|curl -u |sshpass -p a |expect send `,
  ].flatMap((line) => line.split('|'));

  it.each(units)('cost as much for each character however long they are: %j', (unit) => {
    const lengths = [8192, 131_072] as const;
    for (const argvOf of [
      (text: string) => ['sh', '-c', text],
      (text: string) => ['app', `password=${text}`],
      (text: string) => ['app', `x ${text}`],
    ]) {
      const [short, long] = lengths.map((length) => stepsOf(argvOf(full(unit, length))) / length);
      expect(long).toBeLessThan((short ?? 0) * 1.5 + 1);
      expect(long).toBeLessThan(150);
    }
  });

  it('may be many', () => {
    const given = Array.from({ length: 100_000 }, (_, i) => (i % 2 === 0 ? '--password' : `s${i}`));
    const { argv, redacted } = redact(given);
    expect(redacted).toBe(50_000);
    expect(argv).toHaveLength(given.length);
    expect(stepsOf(given)).toBeLessThan(given.join('').length * 20);
  });
});
