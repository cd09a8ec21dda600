/**
 * Arguments of a process as a line that shows where each one begins and ends.
 */
import { displayHostText } from '@sentineld/model/host-text';

/** Plain words as they are; everything else between single quotes, as a shell would take it. Safe to show. */
export function commandText(argv: readonly string[]): string {
  return argv
    .map((argument) => (/^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${displayHostText(argument).replaceAll("'", "'\\''")}'`))
    .join(' ');
}
