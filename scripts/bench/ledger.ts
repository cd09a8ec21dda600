/**
 * `bench ledger`: what it takes to verify a ledger, beside the same rules row by row with JavaScript's BLAKE3; and what an
 * entry takes to be on disk, beside what the disk alone takes, one at a time and from 64 clients at once.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '../checks/finding.ts';
import { bundleProgram, bundleSource, linkSqliteDriver } from './build-programs.ts';
import { askJson, askMeasured, startLineChild, type LineChild } from './line-child.ts';
import { atLeast, atMost, type Findings } from './report.ts';
import { loadFigures, type Run } from './run.ts';
import { median, rounded } from './statistics.ts';

type Form = {
  readonly entries: number;
  /** Verified row by row: as many as take some seconds. */
  readonly rows: number;
  readonly rounds: number;
  /** Of each round. */
  readonly appends: number;
  readonly submissions: number;
};

const FULL: Form = { entries: 1_000_000, rows: 60_000, rounds: 5, appends: 2_000, submissions: 25_600 };
const QUICK: Form = { entries: 5_000, rows: 1_000, rounds: 1, appends: 20, submissions: 640 };
const FILL_CHUNK = 50_000;

type Verified = { readonly entriesPerCpuSecond: number; readonly cpuSeconds: number; readonly peakMiB: number };
type Written = { readonly appendMs: number; readonly floorMs: number; readonly submitMs: number; readonly bytes: number };

export async function benchLedger(run: Run): Promise<Findings> {
  const form = run.quick ? QUICK : FULL;
  linkSqliteDriver(run);
  cpSync(join(REPOSITORY, 'packages/native/prebuilt'), join(run.directory, 'prebuilt'), { recursive: true });
  // The writer as procmond runs, the verifier as the command line.
  const programs = {
    write: await bundleProgram(run, 'ledger-write'),
    verify: [await bundleSource(run, join(import.meta.dirname, 'ledger-verify.ts'))],
  };
  const directory = join(run.directory, 'ledger');
  mkdirSync(directory, { mode: 0o700 });
  const child = startLineChild(run, 'writer', process.execPath, [...programs.write, directory]);
  await fillLedger(run, child, form.entries);
  const whole: Verified[] = [];
  const rows: Verified[] = [];
  const path = join(directory, 'ledger.db');
  for (let round = 1; round <= form.rounds; round++) {
    whole.push(await verifyOnce([...programs.verify, path]));
    rows.push(await verifyOnce([...programs.verify, path, String(form.rows)]));
    run.progress(`verify: round ${round} of ${form.rounds}`);
  }
  const written: Written[] = [];
  for (let round = 1; round <= form.rounds; round++) {
    written.push(await writeRound(child, form));
    run.progress(`write: round ${round} of ${form.rounds}`);
  }
  await askMeasured(child, 'stop');
  await child.stop();
  return findingsOf(form, { written, whole, rows });
}

async function fillLedger(run: Run, child: LineChild, entries: number): Promise<void> {
  for (let done = 0; done < entries; done += FILL_CHUNK) {
    await askMeasured(child, `fill ${Math.min(FILL_CHUNK, entries - done)}`);
    run.progress(`a ledger of ${Math.min(entries, done + FILL_CHUNK)} of ${entries} entries`);
  }
}

/** Milliseconds per entry of each kind, one after the other on the same disk. */
async function writeRound(child: LineChild, { appends, submissions }: Form): Promise<Written> {
  const append = await askWriting(child, `single ${appends}`);
  const bytes = Math.round(append.bytes / appends);
  const floor = await askWriting(child, `floor ${appends} ${bytes}`);
  const submit = await askWriting(child, `group ${submissions}`);
  return { appendMs: append.wallMs / append.count, floorMs: floor.wallMs / floor.count, submitMs: submit.wallMs / submit.count, bytes };
}

async function askWriting(
  child: LineChild,
  line: string,
): Promise<{ readonly wallMs: number; readonly count: number; readonly bytes: number }> {
  const { wallMs, count, bytes } = (await askJson(child, line)) as Readonly<Record<string, unknown>>;
  if (typeof wallMs !== 'number' || typeof count !== 'number' || typeof bytes !== 'number') throw new TypeError(`no answer to ${line}`);
  return { wallMs, count, bytes };
}

/** In a process of its own, whose memory is nobody else's. */
async function verifyOnce(words: readonly string[]): Promise<Verified> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', ...words]);
  const { cpuMs, count, peakMiB } = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
  if (typeof cpuMs !== 'number' || typeof count !== 'number' || typeof peakMiB !== 'number')
    throw new TypeError(`not a measurement: ${stdout}`);
  return { entriesPerCpuSecond: (count * 1000) / cpuMs, cpuSeconds: cpuMs / 1000, peakMiB };
}

type Rounds = { readonly written: readonly Written[]; readonly whole: readonly Verified[]; readonly rows: readonly Verified[] };

function findingsOf(form: Form, { written, whole, rows }: Rounds): Findings {
  const of = <Round>(rounds: readonly Round[], value: (round: Round) => number): number => rounded(median(rounds.map(value)));
  const perCpuSecond = of(whole, (round) => round.entriesPerCpuSecond);
  const rowsPerCpuSecond = of(rows, (round) => round.entriesPerCpuSecond);
  const peakMiB = rounded(Math.max(...whole.map((round) => round.peakMiB)));
  const ratios = {
    verifyOverRows: rounded(perCpuSecond / rowsPerCpuSecond),
    appendOverFloor: of(written, ({ floorMs, appendMs }) => floorMs / appendMs),
    groupOverSingle: of(written, ({ appendMs, submitMs }) => appendMs / submitMs),
  };
  return {
    ratios,
    figures: {
      loadAverage: loadFigures(),
      rounds: form.rounds,
      verify: {
        entries: form.entries,
        cpuSeconds: of(whole, ({ cpuSeconds }) => cpuSeconds),
        entriesPerCpuSecond: perCpuSecond,
        peakMiB,
        rowsPerCpuSecond,
      },
      write: {
        appendMs: of(written, ({ appendMs }) => appendMs),
        floorMs: of(written, ({ floorMs }) => floorMs),
        bytesPerAppend: of(written, ({ bytes }) => bytes),
        appendsPerSecond: of(written, ({ appendMs }) => 1000 / appendMs),
        groupedPerSecond: of(written, ({ submitMs }) => 1000 / submitMs),
      },
    },
    targets: [
      atLeast('verified per CPU second', perCpuSecond, 800_000, ''),
      atLeast('verified over row by row', ratios.verifyOverRows, 10),
      atMost('peak of verifying', peakMiB, 100, 'MiB'),
      atLeast('append over write and fdatasync', ratios.appendOverFloor, 0.65),
      atLeast('64 clients over one by one', ratios.groupOverSingle, 12),
    ],
    missing: [],
  };
}
