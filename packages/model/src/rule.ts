/**
 * Detection rules and what became of running one.
 */

export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const RULE_SOURCES = ['builtin', 'file', 'user'] as const;
export type RuleSource = (typeof RULE_SOURCES)[number];

/** A rule as it was loaded; its SQL has not been trusted yet. */
export type Rule = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly severity: Severity;
  readonly category: string;
  readonly tags: readonly string[];
  /** ATT&CK technique ids, for instance T1070.004. */
  readonly attack: readonly string[];
  readonly version: number;
  readonly author: string;
  readonly sql: string;
  /** Columns of the result that make one finding the same as an earlier one. */
  readonly dedupKeys: readonly string[];
  /** Id of the rule whose findings with equal values are the same as this one's; left out where only its own are. */
  readonly dedupWith?: string;
  /** When it is run, as its file has it ('every 5m', 'cron: 0 * * * *'); left out where every scan is looked at. */
  readonly schedule?: string;
  readonly enabled: boolean;
  readonly source: RuleSource;
  /** File the rule came from. */
  readonly sourcePath: string;
  /** SHA-256 of the file's bytes, hex. */
  readonly checksum: string;
};

/** What an operator decides about a rule; 'reset' takes back what was decided before. */
export type RuleDecision =
  | { readonly kind: 'enable' }
  | { readonly kind: 'disable' }
  | { readonly kind: 'severity'; readonly severity: Severity }
  | { readonly kind: 'reset' };

/** What operators decided about a rule, whatever its file says: it outlives upgrades of the rule, and its absence. */
export type OperatorOverride = {
  readonly ruleId: string;
  /** Null where the rule's own holds. */
  readonly enabled: boolean | null;
  readonly severity: Severity | null;
  /** Why, of the newest decision, and whose it was. */
  readonly reason: string;
  readonly uid: number;
  /** Null where the user has no name here. */
  readonly userName: string | null;
  /** Milliseconds since 1970. */
  readonly decidedMs: number;
};

/** A place in a rule's SQL; both count from 1. */
export type SqlPosition = { readonly line: number; readonly column: number };

/** Why a rule or a query is not run. */
export type Refusal = {
  /** Stable word: parse, statement, function, table, column, node, limit, characters, second_opinion, authorizer, … */
  readonly code: string;
  readonly message: string;
  readonly position: SqlPosition | null;
};

/**
 * What a rule has to look at in a scan: events that it has not seen, processes that are new or have changed (or whose
 * parent has), or everything.
 */
export const RULE_SCOPES = ['new_events', 'changed_processes', 'everything'] as const;
export type RuleScope = (typeof RULE_SCOPES)[number];

export type Validation =
  | {
      readonly ok: true;
      readonly columns: readonly string[];
      /** Readable tables that the statement reads, each once. */
      readonly tables: readonly string[];
      readonly scope: RuleScope;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** A value of a result row. Integers beyond 2^53 arrive as decimal text, BLOBs as hex text. */
export type SqlValue = string | number | null;
export type ResultRow = Readonly<Record<string, SqlValue>>;

/** A process that a finding is about, as the analyst should see it. */
export type AffectedProcess = {
  readonly pid: number;
  readonly startTimeMs: number | null;
  readonly name: string;
  readonly exePath: string | null;
  readonly argv: readonly string[] | null;
  readonly user: string | null;
  readonly ppid: number | null;
  readonly parentName: string | null;
  readonly parentExe: string | null;
  readonly parentCmdline: string | null;
};

/** What running one rule over one scan gave. 'No match' (ok with no rows) is not 'could not evaluate'. */
export type RuleOutcome =
  | {
      readonly outcome: 'ok';
      /** The scan that the rule saw; null where there is none yet. */
      readonly scanId: number | null;
      readonly rows: readonly ResultRow[];
      readonly processes: readonly AffectedProcess[];
      /** True where a row or byte cap cut the result. */
      readonly truncated: boolean;
      /** Number of the newest process event that the rule could see; null where it reads none, or there is none. */
      readonly eventSeq: number | null;
      readonly durationMs: number;
    }
  | { readonly outcome: 'refused'; readonly refusal: Refusal; readonly durationMs: number }
  | { readonly outcome: 'timeout' | 'memory' | 'crashed' | 'failed'; readonly message: string; readonly durationMs: number };

/** What the evaluation of a rule comes to. 'incomplete' ran, and could not see all that it asks for; what it found still counts. */
export const RULE_RESULTS = ['matched', 'no_match', 'incomplete', 'failed'] as const;
export type RuleResult = (typeof RULE_RESULTS)[number];
