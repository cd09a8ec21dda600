/**
 * Hashes executables on a thread of libuv's pool, through the addon: the memory of one piece while a file is read, and
 * none after.
 */
import { errnoOf } from '@sentineld/model/error';
import type { Native } from '@sentineld/native/addon';
import { hashFile, type Digest, type HashEngine, type StartHashEngine } from './hash-file.ts';
import { startHashWorker } from './thread.ts';

export type HashCalls = Pick<Native, 'hashFile' | 'cancelHash'>;

let tickets = 0;

/** In a Node whose OpenSSL the addon cannot reach, a Worker hashes instead. */
export function hashInPool(native: HashCalls, startInstead: StartHashEngine = startHashWorker): StartHashEngine {
  return (settings) => {
    const ticket = ++tickets;
    let closed = false;
    let instead: HashEngine | null = null;
    const cancel = (): void => native.cancelHash(ticket);
    const digest: Digest = async (descriptor, sizeBytes) => {
      try {
        return await native.hashFile(descriptor, sizeBytes, settings.bytesPerSecond, ticket);
      } catch (cause) {
        if (errnoOf(cause) === 'ENOSYS') instead = startInstead(settings);
        throw cause;
      }
    };
    // When Node ends it waits for the threads of its pool.
    process.once('exit', cancel);
    return {
      hash: async (job) => {
        const answer = closed || instead !== null ? null : await hashFile(job, settings.fileLimitBytes, digest);
        if (closed) return null;
        return instead === null ? answer : instead.hash(job);
      },
      close: () => {
        closed = true;
        process.off('exit', cancel);
        cancel();
        instead?.close();
      },
    };
  };
}
