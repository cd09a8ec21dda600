/**
 * Allows only the listed licences in what is shipped: everything the packages' `dependencies` lead to. Trusts the
 * `license` field of each package; a package without one fails by name.
 */
import { REPOSITORY, reportFindings, type Finding } from './finding.ts';
import { readProductionClosure, type InstalledPackage, type Manifest } from './manifests.ts';

const ALLOWED = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'CC0-1.0',
  'BlueOak-1.0.0',
  'Python-2.0',
  'Unlicense',
]);

function licenceOf({ license, licenses }: Manifest): string {
  if (typeof license === 'string') return license;
  return license?.type ?? licenses?.map(({ type }) => type ?? '').join(' OR ') ?? '';
}

/** Whether an SPDX expression lets us choose allowed licences only: OR needs one side, AND both. */
export function isAllowed(expression: string): boolean {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const readTerm = (): boolean => {
    const token = tokens[at++] ?? '';
    if (token !== '(') return ALLOWED.has(token);
    const inner = readChoice();
    return tokens[at++] === ')' && inner;
  };
  const readAll = (): boolean => {
    let allowed = readTerm();
    for (; tokens[at] === 'AND';) {
      at++;
      allowed = readTerm() && allowed;
    }
    return allowed;
  };
  const readChoice = (): boolean => {
    let allowed = readAll();
    for (; tokens[at] === 'OR';) {
      at++;
      allowed = readAll() || allowed;
    }
    return allowed;
  };
  const allowed = readChoice();
  return allowed && at === tokens.length;
}

export function checkLicences(packages: readonly InstalledPackage[]): Finding[] {
  return packages.flatMap(({ manifest }) => {
    const licence = licenceOf(manifest);
    const name = `${manifest.name ?? '?'}@${manifest.version ?? '?'}`;
    return isAllowed(licence)
      ? []
      : [{ rule: 'licence', message: `${name} has ${licence === '' ? 'no licence' : `the licence ${licence}`}` }];
  });
}

if (import.meta.main) {
  const packages = readProductionClosure(REPOSITORY);
  if (packages.length === 0) throw new Error('no installed package found: nothing can be checked');
  console.log(`${String(packages.length)} shipped packages`);
  reportFindings(checkLicences(packages));
}
