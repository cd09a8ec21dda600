/**
 * Types of the two files of systeminformation that are used. They are imported by themselves: the package as a whole loads
 * twenty others, some of which ask the network.
 */
declare module 'systeminformation/lib/processes.js' {
  import type { Systeminformation } from 'systeminformation';
  export function processes(): Promise<Systeminformation.ProcessesData>;
}

declare module 'systeminformation/lib/util.js' {
  /** Finds PowerShell; before it nothing can be asked on Windows. */
  export function getPowershell(): void;
}
