/**
 * Alerts, and checkpoints of the ledger, in a file, one JSON document a line, on disk before it counts as delivered.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { alertDocument } from '@sentineld/model/alert-document';
import { checkpointDocument } from '../checkpoint-line.ts';
import { defineSink, refusalOf, type SendResult, type SinkDefinition } from '../sink.ts';

const FILE_MODE = 0o640;

export const fileSink: SinkDefinition = defineSink({
  name: 'file',
  summary: 'alerts in a file of JSON lines',
  isEnabled: (config) => config.alerting.file.enabled,
  open: (config, paths) => {
    const path = config.alerting.file.path === '' ? join(paths.agentDir, 'alerts.jsonl') : config.alerting.file.path;
    return {
      send: async (alert) => writeLine(path, alertDocument(alert)),
      note: async (seen) => writeLine(path, checkpointDocument(seen)),
      close: () => undefined,
    };
  },
});

function writeLine(path: string, document: unknown): SendResult {
  let descriptor: number | null = null;
  try {
    // Opened anew each time: a file that was rotated away is not written to any more.
    descriptor = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
    return appendLine(descriptor, path, Buffer.from(`${JSON.stringify(document)}\n`));
  } catch (cause) {
    return refusalOf(cause);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** All of the line or nothing: a disk that fills up takes as much of it as there is space for. */
function appendLine(descriptor: number, path: string, line: Buffer): SendResult {
  const { size } = fstatSync(descriptor);
  const written = writeSync(descriptor, line);
  if (written < line.length) {
    if (fstatSync(descriptor).size === size + written) ftruncateSync(descriptor, size);
    return { ok: false, error: `${path}: only ${written} of ${line.length} bytes were written`, isFull: true };
  }
  fdatasyncSync(descriptor);
  return { ok: true };
}
