/**
 * Regular expressions in JavaScript's syntax, without flags, for saying whether a text matches. Their time is not bounded
 * here, neither that of a match nor that of the engine's making code at the first one: (|)(|)(|) doubles it with each
 * group. Who runs one runs it in a process that is ended from outside.
 */

export type CompiledExpression =
  | { readonly ok: true; readonly expression: RegExp }
  /** The engine's words, without the pattern that it repeats. */
  | { readonly ok: false; readonly reason: string };

/** Reads a pattern, in a time that its length bounds: no code is made and nothing is matched. */
export function compileExpression(pattern: string): CompiledExpression {
  try {
    return { ok: true, expression: new RegExp(pattern) };
  } catch (thrown) {
    return { ok: false, reason: reasonOf(thrown) };
  }
}

/** What the engine says, without the pattern that it repeats. */
export function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.split('/: ').at(-1) ?? message;
}
