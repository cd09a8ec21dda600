/**
 * What a command is: one value with its name, help, options, examples and behaviour. A new command is one file in
 * commands/ and one line in commands/registry.ts.
 */
import type { LoadedConfig } from '@sentineld/runtime/config/load';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import type { Options, OptionValues } from './option.ts';
import type { Terminal } from './output/terminal.ts';

export type Positional = {
  /** As in help texts, in capitals: SQL, FILE, ID. */
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
  /** Takes any number of words; only the last one may. */
  readonly repeated?: boolean;
};

export type Example = { readonly line: string; readonly what: string };

/** What a command may use of the world. */
export type CommandContext = {
  readonly terminal: Terminal;
  /** The configuration that the global options give; loaded at the first call. Throws 'config.*'. */
  readonly config: () => LoadedConfig;
  readonly paths: () => StatePaths;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

/** Words and options as they were given, already held against the definition. */
export type GivenArguments = {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, readonly string[]>;
};

export type CommandDefinition<Given extends Options> = {
  /** As it is typed: 'query', 'rules list'. */
  readonly name: string;
  /** One line without a full stop. */
  readonly summary: string;
  /** Paragraphs for --help, where one line is not enough. */
  readonly description?: string;
  readonly positionals?: readonly Positional[];
  readonly options: Given;
  readonly examples: readonly Example[];
  /** Returns the exit status: 0 fine, 1 found something. Throws SentinelError for the others. */
  readonly run: (context: CommandContext, words: readonly string[], options: OptionValues<Given>) => Promise<number>;
};

export type Command = Omit<CommandDefinition<Options>, 'run' | 'positionals'> & {
  readonly positionals: readonly Positional[];
  readonly run: (context: CommandContext, given: GivenArguments) => Promise<number>;
};

export function defineCommand<Given extends Options>(definition: CommandDefinition<Given>): Command {
  return {
    ...definition,
    positionals: definition.positionals ?? [],
    run: (context, { words, options }) => definition.run(context, words, readOptions(definition.options, options)),
  };
}

function readOptions<Given extends Options>(specs: Given, given: GivenArguments['options']): OptionValues<Given> {
  const values = Object.entries(specs).map(([name, option]) => [name, option.read(name, given.get(name) ?? [])] as const);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value was made by the option of that name
  return Object.fromEntries(values) as OptionValues<Given>;
}
