/**
 * sentinelcli: the operator's view of what SentinelD recorded. Hands the process's arguments and streams to the
 * program and ends with its exit status; the status is set, not forced, so that what was written is written out.
 */
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { runProgram } from './program.ts';

const status = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  onWriteFailure: (error) => {
    process.stderr.write(describeFailure('sentinelcli', error));
    process.exitCode = exitStatusOf(error);
  },
});
// A failure to write may have been told before.
process.exitCode ??= status;
