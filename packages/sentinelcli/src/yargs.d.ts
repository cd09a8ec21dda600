// The part of yargs 18 that help.ts uses: the package ships no types.
declare module 'yargs' {
  export type YargsOption = {
    readonly describe: string;
    readonly group: string;
    readonly alias?: string;
  };
  export type Yargs = {
    scriptName(name: string): Yargs;
    usage(text: string): Yargs;
    locale(name: string): Yargs;
    help(shown: false): Yargs;
    version(shown: false): Yargs;
    exitProcess(enabled: false): Yargs;
    wrap(columns: number): Yargs;
    command(name: string, summary: string): Yargs;
    option(name: string, option: YargsOption): Yargs;
    getHelp(): Promise<string>;
  };
  export default function yargs(words?: readonly string[]): Yargs;
}
