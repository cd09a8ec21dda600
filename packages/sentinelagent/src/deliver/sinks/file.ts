/**
 * Alerts in a file, one JSON document a line, on disk before it counts as delivered.
 */
import { closeSync, constants, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { alertDocument } from '@sentineld/model/alert-document';
import { messageOf } from '@sentineld/model/error';
import { defineSink, type SinkDefinition } from '../sink.ts';

const FILE_MODE = 0o640;

export const fileSink: SinkDefinition = defineSink({
  name: 'file',
  summary: 'alerts in a file of JSON lines',
  isEnabled: (config) => config.alerting.file.enabled,
  open: (config, paths) => {
    const path = config.alerting.file.path === '' ? join(paths.agentDir, 'alerts.jsonl') : config.alerting.file.path;
    return {
      send: async (alert) => {
        let descriptor: number | null = null;
        try {
          // Opened anew each time: a file that was rotated away is not written to any more.
          descriptor = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
          const line = Buffer.from(`${JSON.stringify(alertDocument(alert))}\n`);
          const written = writeSync(descriptor, line);
          if (written !== line.length) return { ok: false, error: `${path}: only ${written} of ${line.length} bytes were written` };
          fdatasyncSync(descriptor);
          return { ok: true };
        } catch (cause) {
          return { ok: false, error: messageOf(cause) };
        } finally {
          if (descriptor !== null) closeSync(descriptor);
        }
      },
      close: () => undefined,
    };
  },
});
