#!/usr/bin/env node
/**
 * sentinel-verify: verifies exports and proofs with nothing of SentinelD beside it. One file for Node, without a database,
 * without configuration, without a network.
 */
import { SentinelError, errnoOf, messageOf } from '@sentineld/model/error';
import { openExport } from '../export-file.ts';
import { type VerifierKey, parseKey } from '../note.ts';
import { parseProof, verifyProof } from '../proof.ts';
import { verifyExport } from '../verify-export.ts';
import { USAGE, parseArguments } from './arguments.ts';
import { type Input, readKeyFile, withInput } from './input.ts';
import { errorText, jsonOf, statusOf, textOf, type Verdict } from './report.ts';

const UNUSABLE = 2;
/** A test holds it against package.json. */
const RELEASE = '0.1.0';

/** Prints what each file is worth; gives the exit status. */
function run(words: readonly string[]): number {
  const { files, keys, keyFiles, json, help, version } = parseArguments(words);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (version) {
    process.stdout.write(`${RELEASE}\n`);
    return 0;
  }
  const trusted = [...keys.map(parseKey), ...keyFiles.flatMap(readKeyFile)];
  let status = 0;
  for (const file of files) {
    const verdict = verdictOf(file, trusted);
    if (json) process.stdout.write(jsonOf(verdict));
    else (verdict.kind === 'error' ? process.stderr : process.stdout).write(textOf(verdict));
    status = Math.max(status, statusOf(verdict));
  }
  return status;
}

function verdictOf(file: string, trusted: readonly VerifierKey[]): Verdict {
  try {
    return withInput(file, (input) => verify(file, input, trusted));
  } catch (error) {
    if (error instanceof SentinelError && error.exitStatus === UNUSABLE) return { kind: 'error', file, error };
    throw error;
  }
}

function verify(file: string, input: Input, trusted: readonly VerifierKey[]): Verdict {
  if (input.kind === 'export') {
    return { kind: 'export', file, result: verifyExport(openExport(input.chunks), trusted.length === 0 ? null : trusted) };
  }
  const proof = parseProof(input.text);
  if (trusted.length === 0) throw keyMissing();
  return { kind: 'proof', file, proof, result: verifyProof(proof, trusted) };
}

function keyMissing(): SentinelError {
  return new SentinelError('usage.invalid', {
    message: 'A proof takes a key to trust, and none was given.',
    why: 'a proof has no key of its own, so without one nothing says that its checkpoint is genuine',
    hint: 'Give --key KEY or --key-file FILE: the key of the ledger, from somebody whom you believe.',
  });
}

process.stdout.on('error', (cause) => {
  // Nobody reads on: no failure of the verification.
  if (errnoOf(cause) === 'EPIPE') return;
  process.stderr.write(`sentinel-verify: standard output cannot be written: ${messageOf(cause)}\n`);
  process.exitCode = UNUSABLE;
});

try {
  process.exitCode = run(process.argv.slice(2));
} catch (thrown) {
  const error = thrown instanceof SentinelError ? thrown : bug(thrown);
  process.stderr.write(errorText('sentinel-verify', error));
  process.exitCode = error.exitStatus;
}

/** Not 1, which says of a file that it does not hold. */
function bug(cause: unknown): SentinelError {
  const where = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return new SentinelError('internal.bug', {
    message: `this is a bug: ${messageOf(cause)}`,
    why: where,
    hint: 'Please report it with the lines above.',
    cause,
  });
}
