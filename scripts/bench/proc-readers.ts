/**
 * Everything that reads the process table in the benchmark `enumerate`: our source, the C program that reads the same
 * files, and the peers. Each is started once per size, warmed by one scan, and then asked in turn.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../checks/finding.ts';
import { bundleProgram, bundleSource, compileProgram } from './build-programs.ts';
import { askMeasured, startLineChild, type Measured } from './line-child.ts';
import type { Run } from './run.ts';

export const READER_NAMES = [
  'cold',
  'coldPlain',
  'steady',
  'steadyHalfHeld',
  'firstScan',
  'c',
  'cFewest',
  'cSameReads',
  'cHeld',
  'ps',
  'psutil',
  'psList',
] as const;
export type ReaderName = (typeof READER_NAMES)[number];

export type Reader = {
  readonly name: ReaderName;
  readonly scan: () => Promise<Measured>;
  readonly stop: () => Promise<void>;
};

/** Starts a reader for so many processes. */
export type ReaderStarter = (processes: number) => Reader;

export type Toolbox = {
  /** Only of readers that are there. */
  readonly starters: ReadonlyMap<ReaderName, ReaderStarter>;
  readonly missing: readonly string[];
};

const PS = ['ps', '-eo', 'pid,ppid,uid,comm,args'] as const;
/** Steady scans per measurement: one of them is too short for a clock, and details are read again in turn. */
const STEADY_SCANS = '4';
const SOURCE = join(REPOSITORY, 'packages/procmond/src/sources/linux-proc.ts');
const ADDON = join(REPOSITORY, 'packages/native/src/addon.ts');
const PREBUILT = join(REPOSITORY, 'packages/native/prebuilt');
const PYTHONS = ['/usr/bin/python3', 'python3'];

/** Builds ours and C, and looks for the peers. */
export async function findReaders(run: Run): Promise<Toolbox> {
  const source = [...(await bundleProgram(run, 'read-linux-proc')), await bundleSource(run, SOURCE)];
  await bundleSource(run, ADDON);
  symlinkSync(PREBUILT, join(run.directory, 'prebuilt'));
  const psList = await bundleProgram(run, 'read-ps-list');
  const compiled = compileProgram(run, 'read-proc');
  const python = PYTHONS.find((name) => spawnSync(name, ['-c', 'import psutil']).status === 0);
  const hasPs = spawnSync(PS[0], ['--version']).status === 0;
  const node = process.execPath;
  const starters = new Map<ReaderName, ReaderStarter>([
    ['cold', () => startReader(run, 'cold', node, [...source, 'cold', '1'])],
    ['coldPlain', () => startReader(run, 'coldPlain', node, [...source, 'cold', '1', 'plain'])],
    ['steady', () => startReader(run, 'steady', node, [...source, 'steady', STEADY_SCANS])],
    ['steadyHalfHeld', (count) => startReader(run, 'steadyHalfHeld', node, [...source, 'steady', STEADY_SCANS, String(count >> 1)])],
    ['firstScan', () => firstScanReader(run, node, [...source, 'cold', '1'])],
  ]);
  if (compiled !== null) {
    starters.set('c', () => startReader(run, 'c', compiled, []));
    starters.set('cFewest', () => startReader(run, 'cFewest', compiled, ['fewest']));
    starters.set('cSameReads', () => startReader(run, 'cSameReads', compiled, ['same']));
    starters.set('cHeld', () => startReader(run, 'cHeld', compiled, ['held']));
  }
  if (hasPs && existsSync('/bin/bash')) starters.set('ps', () => psReader(run));
  if (python !== undefined) starters.set('psutil', () => startReader(run, 'psutil', python, [join(import.meta.dirname, 'read-psutil.py')]));
  if (hasPs) starters.set('psList', () => startReader(run, 'psList', node, psList));
  return {
    starters,
    missing: [
      ...(compiled === null ? ['gcc (the C reader is what ours is held against): apt-get install gcc libc6-dev'] : []),
      ...(hasPs ? [] : ['ps: apt-get install procps']),
      ...(existsSync('/bin/bash') ? [] : ['bash (its `time` measures ps)']),
      ...(python === undefined ? ['python3 with psutil: apt-get install python3-psutil'] : []),
    ],
  };
}

function startReader(run: Run, name: ReaderName, program: string, programArguments: readonly string[]): Reader {
  const child = startLineChild(run, name, program, programArguments);
  return { name, scan: () => askMeasured(child, 'scan'), stop: child.stop };
}

/** A process of its own for each scan: what procmond's very first scan costs, before V8 has compiled anything. */
function firstScanReader(run: Run, program: string, programArguments: readonly string[]): Reader {
  return {
    name: 'firstScan',
    scan: async () => {
      const child = startLineChild(run, 'firstScan', program, programArguments);
      const measured = await askMeasured(child, 'scan');
      await child.stop();
      return measured;
    },
    stop: () => Promise.resolve(),
  };
}

/** ps is a whole program, started for each list: its start counts. bash tells user and system time to the millisecond. */
function psReader(run: Run): Reader {
  const script = `TIMEFORMAT='%3R %3U %3S'; while read -r _; do { time ${PS.join(' ')} > /dev/null 2> /dev/null; } 2>&1; done`;
  const child = startLineChild(run, 'ps', '/bin/bash', ['--norc', '-c', script]);
  const count = countByPs();
  return {
    name: 'ps',
    scan: async () => {
      const answer = await child.ask('scan');
      const [wall, user, system] = answer.split(' ').map((seconds) => Number(seconds) * 1000);
      if (wall === undefined || user === undefined || system === undefined) throw new Error(`bash timed ps as "${answer}"`);
      return { cpuMs: user + system, wallMs: wall, count };
    },
    stop: child.stop,
  };
}

function countByPs(): number {
  const { stdout } = spawnSync('ps', ['-eo', 'pid='], { encoding: 'latin1' });
  return stdout.trim().split('\n').length;
}
