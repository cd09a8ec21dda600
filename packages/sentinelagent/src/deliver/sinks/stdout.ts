/**
 * Alerts, and checkpoints of the ledger, on standard output: as text for people, every host string escaped, or one JSON
 * document a line.
 */
import { writeSync } from 'node:fs';
import { alertDocument } from '@sentineld/model/alert-document';
import { alertText } from '../alert-text.ts';
import { checkpointDocument, checkpointText } from '../checkpoint-line.ts';
import { defineSink, refusalOf, type SendResult, type SinkDefinition } from '../sink.ts';

const STDOUT = 1;
/** Between two checkpoints in the text for people. */
const BETWEEN_NOTES_MS = 600_000;

export const stdoutSink: SinkDefinition = defineSink({
  name: 'stdout',
  summary: 'alerts on standard output, as text or JSON lines',
  isEnabled: (config) => config.alerting.stdout.enabled,
  open: (config) => {
    const isJson = config.alerting.stdout.format === 'json';
    let notedMs = Number.NEGATIVE_INFINITY;
    return {
      send: async (alert) => write(isJson ? jsonLine(alertDocument(alert)) : alertText(alert)),
      note: async (seen) => {
        if (isJson) return write(jsonLine(checkpointDocument(seen)));
        // A person wants to see alerts.
        if (performance.now() - notedMs < BETWEEN_NOTES_MS) return { ok: true };
        const result = write(checkpointText(seen));
        if (result.ok) notedMs = performance.now();
        return result;
      },
      close: () => undefined,
    };
  },
});

function jsonLine(document: unknown): string {
  return `${JSON.stringify(document)}\n`;
}

function write(text: string): SendResult {
  try {
    writeAll(STDOUT, Buffer.from(text));
    return { ok: true };
  } catch (cause) {
    return refusalOf(cause);
  }
}

/** A pipe may take less than it is given. */
function writeAll(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
}
