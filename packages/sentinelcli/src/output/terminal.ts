/**
 * Where a command writes: standard output for what was asked, standard error for everything else. Whoever reads may
 * go away at any time (`| head`): the rest is then dropped without a word.
 */
import { errnoOf, type SentinelError } from '@sentineld/model/error';
import { outputFailure } from '@sentineld/runtime/lifecycle/fail';
import { createStyles, wantsColour, type Styles } from './styles.ts';

/** What is needed of process.stdout and process.stderr. */
export type TextStream = {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
  on(event: 'error' | 'drain' | 'close', listener: (cause: Error) => void): unknown;
};

export type Terminal = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Waits until standard output has taken what was written; false where nobody reads on, so that no more need be made. */
  readonly outTaken: () => Promise<boolean>;
  /** True where standard output, or standard error, is a terminal. */
  readonly outIsTty: boolean;
  readonly errIsTty: boolean;
  /** Cells of a line. */
  readonly width: number;
  readonly styles: Styles;
  readonly errStyles: Styles;
};

export type TerminalOptions = {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly noColor: boolean;
  readonly onWriteFailure?: ((error: SentinelError) => void) | undefined;
};

const DEFAULT_WIDTH = 80;
const LEAST_WIDTH = 40;
const MOST_WIDTH = 1000;

export function createTerminal({ stdout, stderr, environment, noColor, onWriteFailure }: TerminalOptions): Terminal {
  const styles = createStyles(wantsColour(stdout.isTTY === true, environment, noColor));
  const errStyles = createStyles(wantsColour(stderr.isTTY === true, environment, noColor));
  const out = writerTo(stdout, (cause) => onWriteFailure?.(outputFailure(cause)));
  return {
    out: out.write,
    outTaken: out.taken,
    // There is nowhere to say it.
    err: writerTo(stderr, () => undefined).write,
    outIsTty: stdout.isTTY === true,
    errIsTty: stderr.isTTY === true,
    width: widthOf(stdout, environment),
    styles,
    errStyles,
  };
}

type Writer = { readonly write: (text: string) => void; readonly taken: () => Promise<boolean> };

function writerTo(stream: TextStream, onFailure: (cause: Error) => void): Writer {
  let open = true;
  /** Called once the stream has room again, or is gone; null while it has room. */
  let room: PromiseWithResolvers<void> | null = null;
  const goOn = (): void => {
    room?.resolve();
    room = null;
  };
  stream.on('error', (cause) => {
    if (open && errnoOf(cause) !== 'EPIPE') onFailure(cause);
    open = false;
    goOn();
  });
  for (const event of ['drain', 'close'] as const) stream.on(event, goOn);
  return {
    write: (text) => {
      if (open && text !== '' && stream.write(text) === false) room ??= Promise.withResolvers();
    },
    taken: async () => {
      // Whoever writes without end also lets signals and errors of the stream in.
      await new Promise((resolve) => setImmediate(resolve));
      await room?.promise;
      return open;
    },
  };
}

/** The terminal's width; COLUMNS where there is no terminal. */
function widthOf(stdout: TextStream, environment: TerminalOptions['environment']): number {
  const given = /^\d{1,4}$/.test(environment['COLUMNS'] ?? '') ? Number(environment['COLUMNS']) : DEFAULT_WIDTH;
  const width = stdout.isTTY === true && (stdout.columns ?? 0) > 0 ? (stdout.columns ?? DEFAULT_WIDTH) : given;
  return Math.min(Math.max(width, LEAST_WIDTH), MOST_WIDTH);
}
