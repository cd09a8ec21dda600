import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GLOBAL_OPTIONS, parseCommandLine } from '../arguments.ts';
import { completionWords } from '../completion-words.ts';
import { commandHelp, overviewHelp } from '../help.ts';
import { COMMANDS } from './registry.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../../docs/cli.md'), 'utf8');

/** The words of an example, as a shell would split its first command. */
function wordsOf(line: string): string[] {
  const [first = ''] = line.split(/ (?:\||&&|\|\||>>?) /);
  const words = [...first.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain ?? '');
  const from = words.findIndex((word) => word.endsWith('sentinelcli') || word === '<(sentinelcli');
  return words.slice(from + 1).map((word) => word.replace(/\)$/, ''));
}

describe.each(COMMANDS.map((command) => [command.name, command] as const))('command %s', (name, command) => {
  it('says in one line what it does', () => {
    expect(command.summary).toMatch(/^[A-Z].*[^.]$/);
    expect(command.summary.length).toBeLessThanOrEqual(80);
  });

  it('has examples that can be typed', () => {
    expect(command.examples.length).toBeGreaterThan(0);
    for (const { line, what } of command.examples) {
      expect(parseCommandLine(wordsOf(line), COMMANDS)).toMatchObject({ kind: 'run', command: { name } });
      expect(what).not.toBe('');
    }
  });

  it('has options that explain themselves, and none that is called like a global one', () => {
    for (const [option, { summary, kind, placeholder }] of Object.entries(command.options)) {
      expect(summary).toMatch(/^[A-Z]/);
      expect(Object.keys(GLOBAL_OPTIONS)).not.toContain(option);
      expect(placeholder === '').toBe(kind === 'flag');
      expect(option).toMatch(/^[a-z]+(-[a-z]+)*$/);
    }
  });

  it('shows all of that with --help, within 80 columns but for examples', async () => {
    const help = await commandHelp(command, 80);
    for (const option of Object.keys({ ...command.options, ...GLOBAL_OPTIONS })) expect(help).toContain(`--${option}`);
    for (const { line, what } of command.examples) expect(help).toContain(`  ${line}\n      ${what}\n`);
    const [before = '', after = ''] = help.split('Examples:');
    for (const text of [...before.split('\n'), ...after.split('\n\n').slice(1).join('').split('\n')])
      expect(text.length).toBeLessThanOrEqual(80);
    expect(help).toContain('Exit status: 0 fine');
    expect(parseCommandLine([...name.split(' '), '--help'], COMMANDS)).toMatchObject({ kind: 'help', command: { name } });
    expect(parseCommandLine(['help', ...name.split(' ')], COMMANDS)).toMatchObject({ kind: 'help', command: { name } });
  });

  it('is in docs/cli.md with every option of its own', () => {
    expect(DOCUMENT).toContain(`\n## ${name}\n`);
    for (const option of Object.keys(command.options)) expect(DOCUMENT).toContain(`--${option}`);
  });

  it('takes positional words of which only the last may repeat or be left out', () => {
    const { positionals } = command;
    expect(positionals.slice(0, -1).every(({ required, repeated }) => required && repeated !== true)).toBe(true);
  });

  it('can be completed', () => {
    const parts = name.split(' ');
    parts.forEach((part, at) => expect(completionWords([...parts.slice(0, at), ''], COMMANDS)).toContain(part));
    expect(completionWords([...parts, '--'], COMMANDS)).toEqual(
      expect.arrayContaining([...Object.keys(command.options).map((option) => `--${option}`), '--state-dir']),
    );
  });
});

describe('the commands together', () => {
  it('have names of their own', () => {
    expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
  });

  it('are listed by --help, whole or by group', async () => {
    const overview = await overviewHelp(COMMANDS, null, 80);
    for (const { name } of COMMANDS) expect(overview).toContain(`  ${name}`);
    const group = await overviewHelp(COMMANDS, 'rules', 80);
    expect(group).toContain('rules validate');
    expect(group).not.toContain('alerts list');
  });

  it('complete values that can be guessed, and no others', () => {
    expect(completionWords(['alerts', 'list', '--severity', ''], COMMANDS)).toEqual(['low', 'medium', 'high', 'critical']);
    expect(completionWords(['query', '--limit', ''], COMMANDS)).toEqual([]);
    expect(completionWords(['query', ''], COMMANDS)).toEqual([]);
    expect(completionWords(['nonsense', ''], COMMANDS)).toEqual([]);
  });
});
