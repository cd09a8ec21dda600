/**
 * The thread that hashes executables: takes one file at a time from its parent and answers with its hash. It knows
 * nothing else, and is ended by its parent.
 */
import { parentPort } from 'node:worker_threads';
import { CHUNK_BYTES, createDigest, createPace, hashFile, type HashJob } from './hash-file.ts';

const [bytesPerSecond = 0, fileLimitBytes = 0] = process.argv.slice(2).map(Number);
const digest = createDigest(Buffer.allocUnsafeSlow(CHUNK_BYTES), createPace(bytesPerSecond));

parentPort?.on('message', (job: HashJob) => {
  void hashFile(job, fileLimitBytes, digest).then((answer) => parentPort?.postMessage(answer));
});
