import { describe, expect, it } from 'vitest';
import { atLeast, atMost, describeFindings, isOk, jsonLine, type Findings } from './report.ts';

const FOUND: Findings = {
  ratios: { large: { steadyOverC: 0.28 } },
  figures: { loadAverage: [0.1, 0.2, 0.3], large: { rounds: 11 } },
  targets: [atMost('large.steadyOverC', 0.28, 0.3), atLeast('rowsRatio', 28, 28)],
  missing: [],
};
const MISSED: Findings = { ...FOUND, targets: [...FOUND.targets, atMost('large.coldOverC', 1.11, 1.1)] };
const INCOMPLETE: Findings = {
  ...FOUND,
  targets: [...FOUND.targets, atMost('large.steadyOverPsutil', null, 0.11)],
  missing: ['python3-psutil'],
};

describe('the line of JSON', () => {
  it('holds the name, the verdict, ratios and figures, and nothing else where all is well', () => {
    expect(jsonLine('enumerate', FOUND, false)).toBe(
      '{"bench":"enumerate","ok":true,"ratios":{"large":{"steadyOverC":0.28}},"figures":{"loadAverage":[0.1,0.2,0.3],"large":{"rounds":11}}}',
    );
  });

  it('says in a short run that it was one, and names what is missing', () => {
    expect(JSON.parse(jsonLine('store', INCOMPLETE, true))).toEqual({
      bench: 'store',
      ok: false,
      ratios: FOUND.ratios,
      figures: FOUND.figures,
      missing: ['python3-psutil'],
      quick: true,
    });
  });
});

describe('the verdict', () => {
  it('is that every target is met, limits included', () => {
    expect(isOk(FOUND, false)).toBe(true);
    expect(isOk(MISSED, false)).toBe(false);
  });

  it('is not given by a short run, which is well when nothing was missing', () => {
    expect(isOk(MISSED, true)).toBe(true);
    expect(isOk(INCOMPLETE, true)).toBe(false);
  });

  it('is shown for each target, and loudly for what is missing', () => {
    expect(describeFindings(MISSED, false).map((line) => /\w+$/.exec(line)?.[0])).toEqual(['met', 'met', 'MISSED']);
    expect(describeFindings(INCOMPLETE, false).slice(2)).toEqual([expect.stringMatching(/NOT MEASURED$/), '!!!! MISSING: python3-psutil']);
    expect(describeFindings(MISSED, true).join('\n')).not.toMatch(/met|MISSED/);
  });
});
