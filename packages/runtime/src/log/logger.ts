/**
 * Structured logs: one JSON line per event on standard error, fixed dotted past-tense names, values in fields.
 * Written synchronously, so that the last line before an end is there.
 */
import { pino, type Logger as PinoLogger } from 'pino';
import type { LogLevel } from '../config/config.ts';

export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error'>;

/** One whose level may be changed while it is used. */
export type AdjustableLogger = Logger & { level: string };

/** A logger for one program; `component` is on every line. */
export function createLogger(component: string, level: LogLevel): AdjustableLogger {
  const destination = pino.destination({ fd: 2, sync: true });
  // A log that cannot be written, on a full disk for instance, is no reason to stop watching.
  destination.on('error', () => undefined);
  return pino(
    {
      level,
      base: { component, pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    destination,
  );
}

/** A logger that says nothing, for tests. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
