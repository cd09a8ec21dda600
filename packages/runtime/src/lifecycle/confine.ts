/**
 * Closing off, for ever and on every thread, the system calls that a program does not need.
 */
import { messageOf } from '@sentineld/model/error';
import { loadNative, type ConfinementProfile } from '@sentineld/native/addon';
import { replaceProgram } from './replace-program.ts';

/** To be called first of all: a program that will confine itself must not hold an io_uring. May replace this process. */
export function prepareToConfine(): void {
  const addon = loadNative();
  if (addon.available) replaceProgram(addon.native);
}

/** Confines this process. Returns null, or why it could not be done. */
export function confine(profile: ConfinementProfile): string | null {
  const addon = loadNative();
  if (!addon.available) return addon.reason;
  try {
    addon.native.confine(profile);
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** Tells the service manager (sd_notify(3)); nothing where there is none. */
export function notifyServiceManager(message: string): void {
  const addon = loadNative();
  if (addon.available) addon.native.notify(message);
}
