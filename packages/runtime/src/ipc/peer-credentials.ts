/**
 * How a daemon learns who connected: SO_PEERCRED through the addon, or not at all.
 */
import type { PeerCredentials } from '@sentineld/model/request';
import { loadNative } from '@sentineld/native/addon';

/** Reads the peer's credentials of a connected Unix socket; null where the addon is missing. */
export function peerCredentialsReader(): ((fd: number) => PeerCredentials) | null {
  const addon = loadNative();
  if (!addon.available) return null;
  const { native } = addon;
  return (fd) => native.peerCredentials(fd);
}
