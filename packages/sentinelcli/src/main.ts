/**
 * sentinelcli: the operator's view of what SentinelD recorded. Hands the process's arguments and streams to the
 * program and ends with its exit status; the status is set, not forced, so that what was written is written out.
 */
import { runProgram } from './program.ts';

process.exitCode = await runProgram(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, environment: process.env });
