/**
 * Alerts on standard output: as text for people, every host string escaped, or one JSON document a line.
 */
import { writeSync } from 'node:fs';
import { alertDocument } from '@sentineld/model/alert-document';
import { alertText } from '../alert-text.ts';
import { defineSink, refusalOf, type SinkDefinition } from '../sink.ts';

const STDOUT = 1;

export const stdoutSink: SinkDefinition = defineSink({
  name: 'stdout',
  summary: 'alerts on standard output, as text or JSON lines',
  isEnabled: (config) => config.alerting.stdout.enabled,
  open: (config) => {
    const { format } = config.alerting.stdout;
    return {
      send: async (alert) => {
        try {
          const text = format === 'json' ? `${JSON.stringify(alertDocument(alert))}\n` : alertText(alert);
          writeAll(STDOUT, Buffer.from(text));
          return { ok: true };
        } catch (cause) {
          return refusalOf(cause);
        }
      },
      close: () => undefined,
    };
  },
});

/** A pipe may take less than it is given. */
function writeAll(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
}
