/**
 * The suite `sigma`: published rules are converted, validated and run over recorded events by the confined executor;
 * which rule finds which event was worked out by programs that share no code with ours. Each rule is a case.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { convertSigmaRule, type SigmaConversion } from '@sentineld/detection/sigma/convert';
import { LINUX_PROCESS_CREATION, type SigmaTarget } from '@sentineld/detection/sigma/target';
import { MAX_EXECUTED_SQL_BYTES, startExecutor, type ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { validateSql } from '@sentineld/detection/sql/validate';
import { REPOSITORY } from '../../checks/finding.ts';
import { caseOf, type CaseResult, type Suite } from '../suite.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { REFUSED_ON_PURPOSE } from './refused-on-purpose.ts';
import { createLinuxDatabase, createWindowsDatabase, type LinuxEvent, type SigmaDatabase, type WindowsEvent } from './sigma-database.ts';

const LINUX_RULES = 'sigma/rules';
const LINUX_EVENTS = 'sigma/events.jsonl';
const WINDOWS_RULES = 'sigma/windows-rules';
const WINDOWS_EVENTS = 'sigma/windows-regression.jsonl';
const MAX_ROWS = 10_000;
const BOUNDS = { maxSqlBytes: MAX_EXECUTED_SQL_BYTES };

export const sigmaSuite: Suite = {
  name: 'sigma',
  summary: 'published Sigma rules, converted, find the recorded events they have to',
  needs: [LINUX_RULES, LINUX_EVENTS, WINDOWS_RULES, WINDOWS_EVENTS],
  needsPrograms: false,
  run: ({ corpora }) => runSigmaCases(corpora),
};

/** Which events a rule has to find, and which it may, by their number from 1. */
type Expected = { readonly must: ReadonlySet<number>; readonly may: ReadonlySet<number> };

type Work = {
  readonly label: string;
  readonly rules: readonly { readonly file: string; readonly text: string }[];
  readonly target: SigmaTarget;
  readonly database: SigmaDatabase;
  readonly expectedOf: (id: string) => Expected;
  readonly executor: ExecutorClient;
};

type SigmaCounts = {
  rules: number;
  converted: number;
  /** Pairs of an event and a rule that has to find it. */
  pairs: number;
  found: number;
  /** Found, and neither expected nor allowed. */
  extra: number;
};

async function* runSigmaCases(corpora: string): AsyncGenerator<CaseResult> {
  using home = temporaryDirectory('conformance-sigma');
  const linux = readLines(corpora, LINUX_EVENTS) as readonly LinuxEvent[];
  yield* withExecutor(createLinuxDatabase(linux, home.path), (executor, database) =>
    tryRules({
      label: 'linux',
      rules: readRules(corpora, LINUX_RULES),
      target: LINUX_PROCESS_CREATION,
      database,
      expectedOf: (id) => ({
        must: numbersOf(linux, ({ expect }) => expect.includes(id)),
        may: numbersOf(linux, ({ expect_invoked: invoked }) => invoked.includes(id)),
      }),
      executor,
    }),
  );
  const windows = readLines(corpora, WINDOWS_EVENTS) as readonly WindowsEvent[];
  const { database, target } = createWindowsDatabase(windows, home.path);
  yield* withExecutor(database, (executor) =>
    tryRules({
      label: 'windows',
      rules: readRules(corpora, WINDOWS_RULES),
      target,
      database,
      expectedOf: (id) => ({ must: numbersOf(windows, ({ expect }) => expect.includes(id)), may: new Set() }),
      executor,
    }),
  );
}

/** From its source: what is tried is the conversion, not the build. */
const SOURCE = join(REPOSITORY, 'packages/detection/src/sql');

async function* withExecutor(
  database: SigmaDatabase,
  work: (executor: ExecutorClient, database: SigmaDatabase) => AsyncGenerator<CaseResult>,
): AsyncGenerator<CaseResult> {
  const executor = startExecutor({
    programs: { spawner: join(SOURCE, 'spawner-main.ts'), executor: join(SOURCE, 'executor-main.ts') },
    nodeArguments: ['--conditions=sentineld-source'],
    databases: [{ schema: 'main', path: database.scratch.path }],
    schema: database.schema,
    limits: { maxRows: MAX_ROWS },
  });
  try {
    yield* work(executor, database);
  } finally {
    await executor.close();
    database.scratch.close();
  }
}

/** A case for each rule, and one for all of them with the figures. */
async function* tryRules(work: Work): AsyncGenerator<CaseResult> {
  const counts: SigmaCounts = { rules: 0, converted: 0, pairs: 0, found: 0, extra: 0 };
  for (const { file, text } of work.rules) yield await tryRule(work, file, text, counts);
  const unseen = counts.pairs === 0 ? 'no event was expected to be found: nothing was tried' : undefined;
  yield caseOf(`${work.label} rules together`, unseen, counts);
}

async function tryRule(work: Work, file: string, text: string, counts: SigmaCounts): Promise<CaseResult> {
  const id = `${work.label} ${file}`;
  counts.rules += 1;
  const conversion = convertSigmaRule({ path: file, text }, work.target);
  const expected = work.expectedOf(conversion.id ?? '');
  counts.pairs += expected.must.size;
  if (!conversion.ok) return caseOf(id, judgeRefusal(conversion));
  const verdict = validateSql(conversion.sql, { schema: work.database.schema, parameters: [':since_seq'], bounds: BOUNDS });
  if (!verdict.ok) return caseOf(id, `the validator refuses it: ${verdict.refusal.code}: ${verdict.refusal.message}`);
  if (REFUSED_ON_PURPOSE.has(conversion.id)) return caseOf(id, 'it is converted, and the list of refused rules has it');
  const outcome = await work.executor.run({ sql: conversion.sql, parameters: { since_seq: 0 } });
  if (outcome.outcome !== 'ok')
    return caseOf(id, `it does not run: ${outcome.outcome}: ${'message' in outcome ? outcome.message : outcome.refusal.message}`);
  if (outcome.truncated) return caseOf(id, 'it found more events than are kept');
  counts.converted += 1;
  const found = new Set(outcome.rows.map(({ seq }) => Number(seq)));
  const missed = [...expected.must].filter((seq) => !found.has(seq));
  const extra = [...found].filter((seq) => !expected.must.has(seq) && !expected.may.has(seq));
  counts.found += expected.must.size - missed.length;
  counts.extra += extra.length;
  const detail = { expected: expected.must.size, found: found.size, ms: outcome.durationMs };
  return caseOf(id, judgeFound(missed, extra), detail);
}

function judgeFound(missed: readonly number[], extra: readonly number[]): string | undefined {
  const parts = [
    ...(missed.length === 0 ? [] : [`it misses ${missed.length} events: lines ${missed.slice(0, 10).join(', ')}`]),
    ...(extra.length === 0 ? [] : [`it finds ${extra.length} events that it should not: lines ${extra.slice(0, 10).join(', ')}`]),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}

/** A refusal passes where it is known, and names what it is about. */
function judgeRefusal({ id, problems }: Extract<SigmaConversion, { ok: false }>): string | undefined {
  const said = problems.map(({ message }) => message).join('; ');
  const reason = REFUSED_ON_PURPOSE.get(id ?? '');
  if (reason === undefined) return `it is refused: ${said}`;
  return said.includes(reason) ? undefined : `it is refused, but not for ${reason}: ${said}`;
}

function readRules(corpora: string, directory: string): Work['rules'] {
  const files = readdirSync(join(corpora, directory)).filter((file) => file.endsWith('.yml'));
  return files.toSorted().map((file) => ({ file, text: readFileSync(join(corpora, directory, file), 'utf8') }));
}

function readLines(corpora: string, file: string): readonly unknown[] {
  const lines = readFileSync(join(corpora, file), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line): unknown => JSON.parse(line));
}

function numbersOf<Event>(events: readonly Event[], isMeant: (event: Event) => boolean): ReadonlySet<number> {
  return new Set(events.flatMap((event, at) => (isMeant(event) ? [at + 1] : [])));
}
