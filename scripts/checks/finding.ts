/**
 * What a check found, and how each check ends as a program: findings on stdout and status 1, or nothing and
 * status 0. Lines that begin with `note: ` are shown by scripts/check.ts even where the check passes.
 */
import { join } from 'node:path';

export type Finding = {
  readonly rule: string;
  readonly message: string;
  /** From the repository's root. */
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
};

export const REPOSITORY = join(import.meta.dirname, '../..');

export function formatFinding({ rule, file, line, message }: Finding): string {
  const place = file === undefined ? '' : `${file}${line === undefined ? '' : `:${String(line)}`}: `;
  return `${place}${message} [${rule}]`;
}

export function reportFindings(findings: readonly Finding[], notes: readonly string[] = []): void {
  for (const note of notes) console.log(`note: ${note}`);
  for (const finding of findings) console.log(formatFinding(finding));
  if (findings.length > 0) process.exitCode = 1;
}
