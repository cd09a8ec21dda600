/**
 * A program of the campaign that says a line when it is ready, goes on for as long as its standard input is open, and
 * ends with the campaign in any case.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Campaign } from './campaign.ts';
import { eventually } from './eventually.ts';
import { knownProcess, signalProcess, type KnownProcess } from './processes.ts';
import { plainEnvironment, type User } from './programs.ts';

const READY_PATIENCE_MS = 60_000;

export type Helper = {
  readonly process: KnownProcess;
  /** What it has written to standard output, line by line. */
  readonly lines: () => readonly string[];
  /** Waits for the line that begins with `word` and gives what follows it; throws where it ends or takes too long. */
  readonly answer: (word: string) => Promise<string>;
  readonly say: (line: string) => void;
  /** Closes its standard input and waits; SIGKILL where that takes more than some seconds. */
  readonly end: () => Promise<void>;
  /** Settles when it is over. */
  readonly ended: Promise<void>;
};

export type HelperOptions = {
  readonly user?: User | undefined;
  readonly environment?: Readonly<Record<string, string>>;
};

export function startHelper(campaign: Campaign, program: string, words: readonly string[], options: HelperOptions = {}): Helper {
  const child = spawn(program, words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...plainEnvironment(), ...options.environment },
    ...options.user,
  });
  const known = child.pid === undefined ? null : knownProcess(child.pid);
  child.on('error', () => undefined);
  if (known === null) throw new Error(`${program} cannot be started`);
  const lines: string[] = [];
  let errors = '';
  let isOver = false;
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.on('data', (bytes: Buffer) => (errors = `${errors}${bytes.toString()}`.slice(-2_000)));
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      isOver = true;
      resolve();
    });
  });
  const end = async (): Promise<void> => {
    child.stdin.end();
    const force = setTimeout(() => signalProcess(known, 'SIGKILL'), 5_000);
    await ended;
    clearTimeout(force);
  };
  campaign.cleanup.defer(`${program} ${words[0] ?? ''}`, async () => {
    signalProcess(known, 'SIGKILL');
    await ended;
  });
  return {
    process: known,
    lines: () => lines,
    answer: async (word) => {
      const found = await eventually(READY_PATIENCE_MS, () => lines.find((line) => line.startsWith(word)) ?? (isOver ? '' : null));
      if (found === null || found === '')
        throw new Error(`${program} ${words.slice(0, 2).join(' ')} does not say "${word}": ${errors.trim()}`);
      return found.slice(word.length).trim();
    },
    say: (line) => void child.stdin.write(`${line}\n`),
    end,
    ended,
  };
}
