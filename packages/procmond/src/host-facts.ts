/**
 * What a scan says of the machine it ran on.
 */
import { readFileSync } from 'node:fs';
import { hostname, release, type } from 'node:os';

export type HostFacts = { readonly hostname: string; readonly osName: string; readonly osVersion: string };

/** `read` gives the text of os-release(5); tests pass their own. */
export function readHostFacts(read: () => string = () => readFileSync('/etc/os-release', 'utf8')): HostFacts {
  let distribution = '';
  try {
    distribution = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(read())?.[1] ?? '';
  } catch {
    // A system without the file is still named by its kernel.
  }
  return { hostname: hostname(), osName: distribution === '' ? type() : `${type()} (${distribution})`, osVersion: release() };
}
