/**
 * libuv opens an io_uring for every event loop, and a process that holds one cannot be confined: the filter would
 * refuse its use and libuv would abort. So a program that will confine itself first forbids itself new rings and then
 * replaces itself by itself (same pid, same arguments), once. On that way it also gets Node's flags of a daemon.
 */
import { SentinelError } from '@sentineld/model/error';
import type { Native } from '@sentineld/native/addon';
import { daemonNodeArguments, hasDaemonFlags } from './node-flags.ts';

/** Returns where this process has no rings and the flags; otherwise replaces it and does not return. Nothing may be open yet that exec would lose. */
export function replaceProgram(native: Native): void {
  if (!native.holdsIoUring() && hasDaemonFlags()) return;
  const program = process.argv[1];
  if (process.execve === undefined || program === undefined) {
    throw new SentinelError('privilege.refused', {
      message: 'this process has io_uring and cannot replace itself by one without',
      hint: 'use the Node release that package.json names',
    });
  }
  native.refuseIoUring();
  process.execve(process.execPath, [process.execPath, ...daemonNodeArguments(), program, ...process.argv.slice(2)], process.env);
}
