/**
 * The process source of the system that this runs on. What another system needs is not even loaded.
 */
import { SentinelError } from '@sentineld/model/error';
import { createLinuxProcSource, type LinuxProcOptions } from './linux-proc.ts';
import type { ProcessSource } from './process-source.ts';

/** Makes the source for a system, named as `process.platform` names it. Throws SentinelError where there is none. */
export async function createProcessSource(platform: string, options: LinuxProcOptions): Promise<ProcessSource> {
  switch (platform) {
    case 'linux':
      return createLinuxProcSource(options);
    case 'darwin': {
      const { createMacosSource } = await import('./macos-processes.ts');
      return createMacosSource(options);
    }
    case 'win32': {
      const { createWindowsSource } = await import('./windows-processes.ts');
      return createWindowsSource(options);
    }
    default:
      throw new SentinelError('source.unavailable', {
        message: `processes of ${platform} cannot be listed`,
        why: 'there is a process source for Linux, macOS and Windows only',
        hint: 'run procmond on one of these',
      });
  }
}
