/**
 * Every alert sink that there is.
 */
import type { SinkDefinition } from '../sink.ts';
import { fileSink } from './file.ts';
import { stdoutSink } from './stdout.ts';

export const SINKS: readonly SinkDefinition[] = [stdoutSink, fileSink];
