/**
 * How the numbers of a process that change often are stored: three small integers instead of a word, a REAL and bytes.
 * What is written here is read back exactly by the SQL beside it.
 */
import type { ProcessRecord, ProcessStatus } from '@sentineld/model/process';

/** The place of a word is its code; codes are in files and never change. The commonest is 0, which takes no byte. */
const STATUS_BY_CODE: readonly ProcessStatus[] = [
  'sleeping',
  'running',
  'disk_sleep',
  'zombie',
  'stopped',
  'traced',
  'idle',
  'dead',
  'unknown',
];
const CODE_BY_STATUS: ReadonlyMap<ProcessStatus, number> = new Map(STATUS_BY_CODE.map((status, code) => [status, code]));
const UNKNOWN_STATUS = STATUS_BY_CODE.indexOf('unknown');

const PAGE_BYTES = 4096;

/** Tenths of a per cent; null where there is none. */
export function cpuTenths(cpuPercent: number | null): number | null {
  return cpuPercent === null ? null : Math.round(cpuPercent * 10);
}

/** Pages where the bytes are whole pages, otherwise the bytes themselves as a negative number. */
export function memoryCode(bytes: number): number {
  return bytes % PAGE_BYTES === 0 ? bytes / PAGE_BYTES : -bytes;
}

/** Status and threads in one integer, which is 0 for the commonest process: one thread, asleep. */
export function stateCode({ status, threads }: Pick<ProcessRecord, 'status' | 'threads'>): number {
  return threadsCode(threads) * 16 + (CODE_BY_STATUS.get(status) ?? UNKNOWN_STATUS);
}

function threadsCode(threads: number | null): number {
  if (threads === 1) return 0;
  return threads === null ? 1 : threads + (threads === 0 ? 2 : 1);
}

/** SQL of a readable column over the alias of a row of process_sample. */
export const SAMPLE_SQL = {
  cpu_percent: (x: string): string => `${x}.cpu_tenths / 10.0`,
  memory_bytes: (x: string): string => `CASE WHEN ${x}.memory < 0 THEN -${x}.memory ELSE ${x}.memory * ${PAGE_BYTES} END`,
  status: (x: string): string =>
    `CASE ${x}.state & 15 ${STATUS_BY_CODE.map((status, code) => `WHEN ${code} THEN '${status}'`).join(' ')} END`,
  threads: (x: string): string => `CASE ${x}.state >> 4 WHEN 0 THEN 1 WHEN 1 THEN NULL WHEN 2 THEN 0 ELSE (${x}.state >> 4) - 1 END`,
} as const;

/** SQL of the code of a status word, for rows that hold words. The threads of such a row are not known. */
export function stateCodeSql(status: string): string {
  return `16 + CASE ${status} ${STATUS_BY_CODE.map((word, code) => `WHEN '${word}' THEN ${code}`).join(' ')} ELSE ${UNKNOWN_STATUS} END`;
}

/** SQL of the code of a number of bytes. */
export function memoryCodeSql(bytes: string): string {
  return `CASE WHEN ${bytes} % ${PAGE_BYTES} = 0 THEN ${bytes} / ${PAGE_BYTES} ELSE -${bytes} END`;
}
