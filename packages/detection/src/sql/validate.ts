/**
 * Layers 1 to 3 together: whether a statement is one that may be tried at all. Pure: it needs no database, so it runs
 * anywhere. That its columns exist, and layer 4, are the executor's to find out.
 */
import type { Refusal, RuleScope } from '@sentineld/model/rule';
import { checkAllowList } from './allow-list.ts';
import { checkCharacters } from './characters.ts';
import { parameterNames } from './parameters.ts';
import { boundsOf, type SqlPolicy } from './policy.ts';
import { scopeOf } from './scope.ts';
import { checkSecondOpinion } from './second-opinion.ts';
import { parseStatement, type Statement } from './statement.ts';
import { tablesRead } from './tables.ts';

export type SqlVerdict =
  | {
      readonly ok: true;
      /** Parameters that a run has to give values for, with their prefix. */
      readonly parameters: readonly string[];
      /** Readable tables that it reads. */
      readonly tables: readonly string[];
      readonly scope: RuleScope;
      readonly statement: Statement;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** Judges a statement; never throws. */
export function validateSql(sql: string, policy: SqlPolicy): SqlVerdict {
  const characters = checkCharacters(sql, boundsOf(policy));
  if (characters !== undefined) return { ok: false, refusal: characters };
  const parsed = parseStatement(sql, policy);
  if (!parsed.ok) return parsed;
  const refused = checkAllowList(parsed.statement, policy) ?? checkSecondOpinion(parsed.statement);
  if (refused !== undefined) return { ok: false, refusal: refused };
  return {
    ok: true,
    parameters: parameterNames(parsed.statement),
    tables: tablesRead(parsed.statement, policy),
    scope: scopeOf(parsed.statement, policy),
    statement: parsed.statement,
  };
}
