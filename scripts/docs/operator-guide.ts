/**
 * docs/operator_guide.md: written by hand, except for what it costs and what it misses, which are tables made from
 * recorded benchmarks between two marks.
 */
import { figureOf, readResult, type Result } from '../bench/results.ts';

type Row = readonly [what: string, ...figures: readonly string[]];

/** The page with its tables as the recorded figures have them. Throws where a mark is missing. */
export function operatorGuide(page: string): string {
  return replaceBetween(replaceBetween(page, 'costs', costs()), 'misses', misses());
}

function replaceBetween(page: string, name: string, lines: readonly string[]): string {
  const [begin, end] = [`<!-- ${name}: made by pnpm docs -->`, `<!-- end of ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/operator_guide.md lacks "${begin}" ... "${end}"`);
  return `${page.slice(0, from + begin.length)}\n\n${lines.join('\n')}\n\n${page.slice(to)}`;
}

function table(head: Row, rows: readonly Row[]): string[] {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)];
}

/** A figure with its unit; a dash where it was not measured. */
function show(value: number | null, unit: string): string {
  return value === null ? '-' : `${value.toLocaleString('en-US', { maximumSignificantDigits: 4 })}${unit}`;
}

function share(value: number | null): string {
  return value === null ? '-' : `${(Math.floor(value * 10_000) / 100).toString()} %`;
}

function measuredOn({ bench, measured, machine }: Result): string {
  const { cores, memoryGiB, kernel, arch, node } = machine;
  return `\`pnpm bench ${bench}\` of ${measured}: Linux ${kernel} on ${arch}, ${cores} cores, ${memoryGiB} GiB, Node ${node}.`;
}

function costs(): string[] {
  const [soak, enumerate, store] = [readResult('soak'), readResult('enumerate'), readResult('store')];
  const soaked = (path: string): number | null => figureOf(soak.figures, path);
  const scanned = (path: string): number | null => figureOf(enumerate.figures, path);
  const perScan = (path: string): string => {
    const cpuMs = scanned(`large.cpuMsPer1000.${path}`);
    return show(cpuMs === null ? null : cpuMs * 10, ' ms');
  };
  return [
    ...table(
      ['procmond', 'figure'],
      [
        ['watched for', show(soaked('minutes'), ' minutes')],
        ['processes on the machine', show(soaked('processes'), '')],
        ['of these start and end each second', show(soaked('startedPerSecond'), '')],
        ['CPU, of one core', show(soaked('cpuPercent'), ' %')],
        ['resident memory, highest of the second half', show(soaked('rssMiB'), ' MiB')],
        ['growth of it in the second half', show(soaked('rssGrowthMiB'), ' MiB')],
        ['disk, events and ledger, a day', show(soaked('mebibytesPerDay'), ' MiB')],
      ],
    ),
    '',
    measuredOn(soak),
    '',
    ...table(
      ['CPU time of one look at 10,000 processes', 'figure'],
      [
        ['a scan of processes that were seen before', perScan('steady')],
        ['the first scan', perScan('cold')],
        ['a C program that reads the same files', perScan('c')],
        ['ps', perScan('ps')],
        ['psutil', perScan('psutil')],
      ],
    ),
    '',
    measuredOn(enumerate),
    '',
    ...table(
      ['the store', 'figure'],
      [
        ['bytes per process and scan, with events', show(figureOf(store.figures, 'write.bytesPerRow'), '')],
        ['rows per CPU second, beside a table with five indexes', show(figureOf(store.ratios, 'rowsPerCpuSecond'), ' times')],
        ['a day of one process', show(figureOf(store.figures, 'read.history.wallMs'), ' ms')],
        ['the processes of a past scan, counted', show(figureOf(store.figures, 'read.middleCount.wallMs'), ' ms')],
      ],
    ),
    '',
    measuredOn(store),
  ];
}

function misses(): string[] {
  const events = readResult('events');
  const of = (path: string): number | null => figureOf(events.figures, path);
  const row = (what: string, name: string, format: (value: number | null) => string): Row => [
    what,
    format(of(`kernel.${name}`)),
    format(of(`trace.${name}`)),
  ];
  const count = (value: number | null): string => show(value, '');
  return [
    ...table(
      ['short lives of 5 ms', 'kernel', 'trace'],
      [
        row('made', 'made', count),
        row('a second', 'madePerSecond', count),
        row('seen', 'seen', count),
        row('counted as lost', 'lost', count),
        row('neither', 'unaccounted', count),
        row('of those seen with their arguments', 'argvShare', share),
        row('seen by a scan each second instead', 'pollingShare', share),
        row('CPU, of one core, scans included', 'cpuPercent', (value) => show(value, ' %')),
      ],
    ),
    '',
    measuredOn(events),
  ];
}
