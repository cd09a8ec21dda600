/**
 * Finds open io_urings. Since libuv 1.50 every event loop has one for its calls to epoll_ctl, whatever UV_USE_IO_URING
 * says, and aborts when the kernel stops to take it; without the right to make one it uses plain calls.
 * A ring does what filters refuse as plain calls (open, connect), so it must not survive a confinement either.
 */
import { readdirSync, readlinkSync } from 'node:fs';

const DIRECTORY = '/proc/self/fd';

/** How many of this process's descriptors are io_urings (proc_pid_fd(5)). Throws what reading /proc throws. */
export function openIoUrings(): number {
  return readdirSync(DIRECTORY).filter((fd) => targetOf(`${DIRECTORY}/${fd}`) === 'anon_inode:[io_uring]').length;
}

/** The descriptor with which the directory was read is gone again; others may be closed by other threads. */
function targetOf(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
