/**
 * Hashes executables on systems without the addon: starts a thread of JavaScript and asks it about one file after the
 * other. It costs 11 MB and more while it lives. Nobody waits for it but whoever awaits an answer.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { HashAnswer, StartHashEngine } from './hash-file.ts';

/** A limit, not what it uses: from sources it also holds what strips types. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 } as const;

export const startHashWorker: StartHashEngine = (settings) => {
  const { file, nodeArguments } = threadProgram();
  // A thread that is ended in the middle of a file does not close it: then Node does.
  const worker = new Worker(file, {
    name: 'hash-worker',
    argv: [settings.bytesPerSecond, settings.fileLimitBytes],
    resourceLimits: LIMITS,
    execArgv: nodeArguments,
    env: {},
    trackUnmanagedFds: true,
  });
  worker.unref();
  let waiting: PromiseWithResolvers<HashAnswer | null> | null = null;
  let ended: 'closed' | SentinelError | null = null;
  const end = (how: 'closed' | SentinelError): void => {
    ended ??= how;
    if (ended === 'closed') waiting?.resolve(null);
    else waiting?.reject(ended);
    waiting = null;
  };
  worker.on('message', (answer: HashAnswer) => {
    waiting?.resolve(answer);
    waiting = null;
  });
  worker.once('error', (cause) => end(deathOf(messageOf(cause), cause)));
  worker.once('exit', (status) => end(deathOf(`it ended with status ${status}`)));
  return {
    hash: (job) => {
      if (ended === 'closed') return Promise.resolve(null);
      if (ended !== null) return Promise.reject(ended);
      waiting = Promise.withResolvers();
      worker.postMessage(job);
      return waiting.promise;
    },
    close: () => {
      end('closed');
      void worker.terminate();
    },
  };
};

function deathOf(reason: string, cause?: unknown): SentinelError {
  return new SentinelError('internal.bug', { message: `the thread that hashes executables ended: ${reason}`, cause });
}

/** From sources the module beside this one; a built program has the thread as a program of its own beside it. */
function threadProgram(): { readonly file: string; readonly nodeArguments: string[] } {
  const fromSources = import.meta.filename.endsWith('.ts');
  const file = join(import.meta.dirname, fromSources ? 'main.ts' : 'hash-worker.js');
  return { file, nodeArguments: fromSources ? ['--conditions=sentineld-source'] : [] };
}
