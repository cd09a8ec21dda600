/**
 * What an executor answered, checked where it is used: an executor that a statement has taken over can write anything,
 * and the agent makes alerts of it.
 */
import { RULE_SCOPES, type AffectedProcess, type RuleOutcome } from '@sentineld/model/rule';
import { z } from 'zod';
import { decodeFrame } from './frames.ts';
import type { ExecutorAnswer } from './protocol.ts';

const REFUSAL = z.strictObject({
  code: z.string(),
  message: z.string(),
  position: z.strictObject({ line: z.number(), column: z.number() }).nullable(),
});
const TEXT = z.string().nullable();
const PROCESS: z.ZodType<AffectedProcess> = z.strictObject({
  pid: z.number(),
  startTimeMs: z.number().nullable(),
  name: z.string(),
  exePath: TEXT,
  argv: z.array(z.string()).nullable(),
  user: TEXT,
  ppid: z.number().nullable(),
  parentName: TEXT,
  parentExe: TEXT,
  parentCmdline: TEXT,
});
const OUTCOME: z.ZodType<RuleOutcome> = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('ok'),
    scanId: z.number().nullable(),
    rows: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.null()]))),
    processes: z.array(PROCESS),
    truncated: z.boolean(),
    eventSeq: z.int().nullable(),
    durationMs: z.number(),
  }),
  z.strictObject({ outcome: z.literal('refused'), refusal: REFUSAL, durationMs: z.number() }),
  z.strictObject({ outcome: z.enum(['timeout', 'memory', 'crashed', 'failed']), message: z.string(), durationMs: z.number() }),
]);
const ANSWER: z.ZodType<ExecutorAnswer> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('validation'),
    validation: z.union([
      z.strictObject({ ok: z.literal(true), columns: z.array(z.string()), tables: z.array(z.string()), scope: z.enum(RULE_SCOPES) }),
      z.strictObject({ ok: z.literal(false), refusal: REFUSAL }),
    ]),
  }),
  z.strictObject({ kind: z.literal('outcome'), outcome: OUTCOME }),
  z.strictObject({ kind: z.literal('failed'), code: z.string(), message: z.string() }),
]);

/** The answer in a frame's body; a failure where it is none. */
export function readAnswer(body: Uint8Array): ExecutorAnswer {
  try {
    const parsed = ANSWER.safeParse(decodeFrame(body));
    if (parsed.success) return parsed.data;
  } catch {
    // Not UTF-8 or not JSON: the same answer as any other nonsense.
  }
  return { kind: 'failed', code: 'executor.failed', message: 'The executor answered something that is no answer' };
}
