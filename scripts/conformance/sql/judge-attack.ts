/**
 * Whether an attack was stopped: refused, or run within its bounds without giving anything away. Pure, so that each
 * way to fail can be shown to fail.
 */
import type { RuleOutcome } from '@sentineld/model/rule';

const MAX_WALL_MS = 2_000;
export const MAX_GROWTH_BYTES = 64 * 1024 * 1024;

export type Attack = {
  readonly id: string;
  readonly sql: string;
  /** True where the corpus says that it must not run at all; otherwise it may run, within its bounds. */
  readonly mustBeRefused: boolean;
};

/** What running an attack did. */
export type Observation = {
  readonly outcome: RuleOutcome;
  readonly wallMs: number;
  /** How much more memory of its own the executor had at its peak than before. */
  readonly grownBytes: number;
  /** Files that were not there before. */
  readonly newFiles: readonly string[];
  /** Whether an ordinary statement was answered afterwards. */
  readonly wentOn: boolean;
};

/** Every reason why the attack was not stopped, in a sentence; undefined where it was. */
export function judgeAttack(attack: Attack, observation: Observation, secrets: readonly string[]): string | undefined {
  const { outcome, wallMs, grownBytes, newFiles, wentOn } = observation;
  const said = saidBy(outcome);
  const leaked = secrets.some((secret) =>
    disguisesOf(secret).some((text) => said.includes(text) && !attack.sql.toLowerCase().includes(text)),
  );
  const problems = [
    ...(outcome.outcome === 'ok' && attack.mustBeRefused ? [`it ran and gave ${outcome.rows.length} rows, it has to be refused`] : []),
    ...(outcome.outcome === 'crashed' ? [`the executor crashed: ${outcome.message}`] : []),
    ...(wallMs > MAX_WALL_MS ? [`it took ${Math.round(wallMs)} ms`] : []),
    ...(grownBytes > MAX_GROWTH_BYTES ? [`memory grew by ${Math.round(grownBytes / 1024 / 1024)} MB`] : []),
    ...(newFiles.length > 0 ? [`it left ${newFiles.join(', ')}`] : []),
    ...(leaked ? ['it gave a secret away'] : []),
    ...(outcome.outcome === 'ok' && /create (?:table|view|index)|sqlite_/.test(said) ? ['it gave the schema away'] : []),
    ...(wentOn ? [] : ['the next statement was not answered']),
  ];
  return problems.length === 0 ? undefined : problems.join('; ');
}

/** Rows, or the words of a refusal or failure: whatever reaches the one who asked. Lower case. */
function saidBy(outcome: RuleOutcome): string {
  const { durationMs: _time, ...said } = outcome;
  return JSON.stringify(said).toLowerCase();
}

function disguisesOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const reversed = Array.from(secret).toReversed().join('');
  return [secret, reversed, bytes.toString('hex'), bytes.toString('base64')].map((text) => text.toLowerCase());
}
