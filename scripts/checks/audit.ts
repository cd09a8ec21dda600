/**
 * Asks the registry for known vulnerabilities in what is shipped. High and critical ones fail, others are shown. Where
 * the registry cannot be asked this says so on a line of its own and does not fail: that is no news about the code.
 */
import { runCommand, type CommandResult } from './command.ts';
import { reportFindings, type Finding } from './finding.ts';

type Advisory = { readonly module_name: string; readonly severity: string; readonly title: string; readonly url: string };
type AuditReport = { readonly advisories: Readonly<Record<string, Advisory>>; readonly metadata: { readonly totalDependencies: number } };
export type AuditVerdict = { readonly asked: boolean; readonly findings: readonly Finding[]; readonly notes: readonly string[] };

const FAILING = new Set(['high', 'critical']);
/** pnpm's codes for a registry that does not answer, or has no such service. */
const NOT_ASKED = /ERR_PNPM_(?:AUDIT_BAD_RESPONSE|META_FETCH_FAIL|FETCH_\w+)|E(?:NOTFOUND|CONNREFUSED|AI_AGAIN|TIMEDOUT)|^stopped after /;

function readReport(text: string): AuditReport | undefined {
  try {
    const report = JSON.parse(text) as Partial<AuditReport>;
    return report.advisories !== undefined && report.metadata !== undefined
      ? { advisories: report.advisories, metadata: report.metadata }
      : undefined;
  } catch {
    return undefined;
  }
}

/** What pnpm's answer means. Anything that is neither a report nor a registry out of reach is a finding. */
export function judgeAudit({ stdout, stderr, failure }: Pick<CommandResult, 'stdout' | 'stderr' | 'failure'>): AuditVerdict {
  const report = readReport(stdout);
  if (report === undefined) {
    const said = [failure, stderr.trim(), stdout.trim()].filter((text) => text !== undefined && text !== '').join('\n');
    if (NOT_ASKED.test(said))
      return {
        asked: false,
        findings: [],
        notes: ['NOT CHECKED: the registry cannot be asked for known vulnerabilities', ...said.split('\n')],
      };
    return { asked: false, findings: [{ rule: 'audit', message: `no report from pnpm audit: ${said}` }], notes: [] };
  }
  if (report.metadata.totalDependencies === 0)
    return { asked: true, findings: [{ rule: 'audit', message: 'pnpm audit looked at no package' }], notes: [] };
  const advisories = Object.values(report.advisories).map(({ module_name: name, severity, title, url }) => ({
    severity,
    text: `${name}: ${severity}: ${title} (${url})`,
  }));
  return {
    asked: true,
    findings: advisories.filter(({ severity }) => FAILING.has(severity)).map(({ text }) => ({ rule: 'audit', message: text })),
    notes: [
      `${String(report.metadata.totalDependencies)} packages asked for`,
      ...advisories.filter(({ severity }) => !FAILING.has(severity)).map(({ text }) => text),
    ],
  };
}

/** The pnpm that runs this script; npx's where there is none. */
function pnpmCommand(): readonly [string, ...string[]] {
  const { npm_execpath: path = '' } = process.env;
  if (!path.includes('pnpm')) return ['/usr/bin/env', 'npx', '-y', 'pnpm@12.21.0'];
  return /\.[cm]?js$/.test(path) ? ['node', path] : [path];
}

if (import.meta.main) {
  const { asked, findings, notes } = judgeAudit(await runCommand([...pnpmCommand(), 'audit', '--prod', '--json'], { timeoutMs: 120_000 }));
  reportFindings(findings, notes);
  const failed = findings.length > 0;
  console.log(`${!failed && asked ? '1' : '0'} passed, ${failed ? '1' : '0'} failed${!failed && !asked ? ', 1 skipped' : ''}`);
}
