/**
 * What may come next on a command line that is being typed, from the commands' own definitions.
 */
import { GLOBAL_OPTIONS } from './arguments.ts';
import type { Command } from './command.ts';
import type { Options } from './option.ts';

/** Candidates for the last word, given the words before it; empty where a value is expected that nobody can guess. */
export function completionWords(words: readonly string[], commands: readonly Command[]): readonly string[] {
  const before = words.slice(0, -1);
  const command = commandOf(before, commands);
  const options: Options = { ...command?.options, ...GLOBAL_OPTIONS };
  const previous = before.at(-1)?.replace(/^--/, '') ?? '';
  const awaited = before.at(-1)?.startsWith('--') === true && Object.hasOwn(options, previous) ? options[previous] : undefined;
  if (awaited?.kind === 'text') return awaited.choices;
  if (words.at(-1)?.startsWith('-') === true) return Object.keys(options).map((name) => `--${name}`);
  return command === null ? nextCommandWords(before, commands) : [];
}

function commandOf(words: readonly string[], commands: readonly Command[]): Command | null {
  return commands.find(({ name }) => name.split(' ').every((part, at) => words[at] === part)) ?? null;
}

function nextCommandWords(before: readonly string[], commands: readonly Command[]): readonly string[] {
  const following = commands.flatMap(({ name }) => {
    const parts = name.split(' ');
    const next = parts[before.length];
    return next !== undefined && before.every((word, at) => parts[at] === word) ? [next] : [];
  });
  return [...new Set(following)];
}
