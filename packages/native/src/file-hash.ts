/** SHA-256 of files on a thread of libuv's pool, as the addon gives it (c/file-hash.c). */

/** `error` is an errno's name; `bytesRead` counts also what was read before it. */
export type NativeFileHash = { readonly bytesRead: number } & ({ readonly sha256: string } | { readonly error: string });

export type FileHashCalls = {
  /**
   * SHA-256, in hexadecimal, of what the descriptor gives from its start to its end; its offset stays. Reads pieces of
   * 256 KiB, `bytesPerSecond` (1 and more) in the long run and never more than one piece at once; memory is one piece.
   * The descriptor stays open until this has settled: closing it is the caller's. Never rejects. EFBIG: there is more
   * than `limitBytes`. ECANCELED: cancelHash. Throws ENOSYS in a Node without OpenSSL.
   */
  readonly hashFile: (fd: number, limitBytes: number, bytesPerSecond: number, ticket: number) => Promise<NativeFileHash>;
  /**
   * Ends every hashFile of this ticket, a number of the caller's choice: at the next piece, or within 50 ms where it
   * sleeps. Whoever calls process.exit, or ends a Worker, cancels first: Node waits for the threads of its pool.
   */
  readonly cancelHash: (ticket: number) => void;
};
