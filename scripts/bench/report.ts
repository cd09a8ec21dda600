/**
 * What a benchmark found, as a person reads it and as one line of JSON for whoever keeps the figures:
 * `{"bench":NAME,"ok":bool,"ratios":{…},"figures":{…}}`, with "missing" where something that it needs is not here and
 * "quick" where the form was too short to hold a target against.
 */

/** Nested by size or part; null where it could not be measured. */
export type Figures = { readonly [name: string]: number | null | readonly number[] | Figures };

export type Target = {
  /** What is held against it, as in the figures: 'large.steadyOverC'. */
  readonly name: string;
  readonly found: number | null;
  readonly limit: number;
  readonly sense: 'at most' | 'at least';
  readonly unit: string;
};

export type Findings = {
  readonly ratios: Figures;
  readonly figures: Figures;
  readonly targets: readonly Target[];
  /** Peers and processes that are not here, in words: without them no target is met. */
  readonly missing: readonly string[];
};

export function atMost(name: string, found: number | null, limit: number, unit = 'x'): Target {
  return { name, found, limit, sense: 'at most', unit };
}

export function atLeast(name: string, found: number | null, limit: number, unit = 'x'): Target {
  return { name, found, limit, sense: 'at least', unit };
}

function isMet({ found, limit, sense }: Target): boolean {
  return found !== null && (sense === 'at most' ? found <= limit : found >= limit);
}

/** A short run claims no target: it is well when everything was there to be measured. */
export function isOk({ targets, missing }: Findings, quick: boolean): boolean {
  return missing.length === 0 && (quick || targets.every(isMet));
}

export function jsonLine(bench: string, findings: Findings, quick: boolean): string {
  const { ratios, figures, missing } = findings;
  return JSON.stringify({
    bench,
    ok: isOk(findings, quick),
    ratios,
    figures,
    ...(missing.length === 0 ? {} : { missing }),
    ...(quick ? { quick } : {}),
  });
}

/** One line for each target, and loudly what was missing. */
export function describeFindings({ targets, missing }: Findings, quick: boolean): string[] {
  const width = Math.max(0, ...targets.map(({ name }) => name.length));
  const lines = targets.map((target) => {
    const { name, found, limit, sense, unit } = target;
    const verdict = isMet(target) ? 'met' : found === null ? 'NOT MEASURED' : 'MISSED';
    return `${name.padEnd(width)}  ${String(found ?? '-').padStart(8)} ${unit.padEnd(4)} ${sense} ${String(limit).padEnd(6)}${quick ? '' : ` ${verdict}`}`;
  });
  return [...lines, ...missing.map((what) => `!!!! MISSING: ${what}`)];
}
