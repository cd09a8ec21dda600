/**
 * Temporary directories that are gone when the run is, however it ends.
 */
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type TemporaryDirectory = { readonly path: string; readonly [Symbol.dispose]: () => void };

/** With `open` other users can pass through, as daemons do that give up root. */
export function temporaryDirectory(purpose: string, { open = false } = {}): TemporaryDirectory {
  const path = mkdtempSync(join(realpathSync(tmpdir()), `sentineld-${purpose}-`));
  if (open) chmodSync(path, 0o755);
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  process.once('exit', remove);
  return {
    path,
    [Symbol.dispose]: () => {
      process.off('exit', remove);
      remove();
    },
  };
}
